"""Whatever AWS seems to respond, a run ends in an outcome or a named error, and redeems only under a stored claim."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import examples
from secrecy.canaries import canary
from worker.handler_between import Ground

PLANTED = {"the canary": canary()}
CANARY = PLANTED["the canary"] + " "  # with a space, since a version ID may be printed and looks like a canary

ODD: dict[str, object] = {
    "null": None,
    "number": 7,
    "text": CANARY,
    "escape": f"\x1b]0;{CANARY}\x07",
    "surrogate": "\ud800",
    "list": [CANARY],
    "list of lists": [[CANARY]],
    "object": {CANARY: CANARY},
    "true": True,
}
READ = ["ARN", "Name", "VersionId", "SecretString", "VersionStages", "CreatedDate"]
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just(CANARY)
    | st.sampled_from([0, 1e11, 253402300799, 1e18, "1e400", "\ud800", "9999-12-31T23:59:59-12:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("S"), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module", params=["versions", "table"])
def ground(request: pytest.FixtureRequest) -> Ground:
    found: Ground = request.getfixturevalue(request.param)
    return found


def change_nth(operation: str, nth: int, change: Callable[[Any], object]) -> Callable[[str, Any], Any]:
    """Change the nth response to an operation, and no other."""
    seen = 0

    def changed(called: str, response: Any) -> Any:
        nonlocal seen
        seen += called == operation
        return change(response) if called == operation and seen == nth else response

    return changed


def without(name: str) -> Callable[[Any], object]:
    return lambda response: {key: value for key, value in response.items() if key != name}


def with_odd(name: str, value: object) -> Callable[[Any], object]:
    return lambda response: {**response, name: value}


def check(ground: Ground, ended: str) -> None:
    """Hold a run to what is true whatever it met."""
    assert "InternalError" != ended, ground.error
    assert [] == ground.leaking(PLANTED)
    assert [ended] == [line.get("outcome") or line["error_type"] for line in ground.last_lines]
    if ground.error is not None:
        assert (None, None) == (ground.error.__cause__, ground.error.__context__)
    if ground.redemptions:
        assert ground.claimed
        assert ground.newest_stored
    assert ground.redemptions <= 1


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", READ)
def test_an_odd_member_of_a_read_has_a_name(versions: Ground, name: str, odd: str) -> None:
    """Each member of the first read in each odd form: a named error, or a run that does not need the member."""
    versions.fresh()
    versions.change = change_nth("GetSecretValue", 1, with_odd(name, ODD[odd]))

    ended = versions.end()

    check(versions, ended)
    if ended != "refreshed":
        assert 0 == versions.redemptions
        assert ended in {"SecretStoreUnavailable", "InvalidSecretDocument", "SecretNotFound"}


def test_a_read_without_labels_goes_on(versions: Ground) -> None:
    """No decision depends on the labels of a version, so a run does not need them."""
    versions.fresh()
    versions.change = change_nth("GetSecretValue", 1, without("VersionStages"))

    assert "refreshed" == versions.end()


def test_another_version_than_was_asked_for_is_malformed(versions: Ground) -> None:
    """A claim whose response is about another version proves no claim."""
    versions.fresh()
    versions.change = change_nth("PutSecretValue", 1, with_odd("VersionId", "0" * 36))

    assert "SecretStoreUnavailable" == versions.end()
    assert 0 == versions.redemptions


@pytest.mark.parametrize("page", [{}, [], "", "<html>", 7, False, {"message": "<html>"}])
def test_a_page_in_place_of_a_stored_claim_redeems_nothing(ground: Ground, page: object) -> None:
    """A proxy that says 200 to everything stores nothing, so nothing is redeemed on its word."""
    ground.fresh()
    ground.change = change_nth("UpdateItem" if ground.table else "PutSecretValue", 1, lambda _: page)

    named = "TableUnavailable" if ground.table else "SecretStoreUnavailable"
    assert named == ground.end()

    check(ground, named)
    assert 0 == ground.redemptions


@pytest.mark.parametrize("page", [{}, [], 7, {"VersionId": "0" * 36}])
def test_a_page_in_place_of_staged_tokens_is_asked_again(versions: Ground, page: object) -> None:
    """New tokens are stored again until a response proves that they are."""
    versions.fresh()
    versions.change = change_nth("PutSecretValue", 2, lambda _: page)

    assert "refreshed" == versions.end()
    check(versions, "refreshed")


@pytest.mark.parametrize("odd", [name for name in ODD if name != "null"])
def test_an_odd_response_to_the_promotion_loses_nothing(versions: Ground, odd: str) -> None:
    """The tokens are staged by then, and the next run finds them."""
    versions.fresh()
    versions.change = change_nth("UpdateSecretVersionStage", 1, lambda _: ODD[odd])

    assert "SecretStoreUnavailable" == versions.end()

    check(versions, "SecretStoreUnavailable")
    assert versions.end() in {"fresh", "recovered"}
    assert 1 == versions.redemptions


ITEM: dict[str, object] = {"claim_id": {"S": "0" * 36}, "claim": {"S": "{}"}, "claimed_at": {"N": "1700000000"}}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", [*ITEM, "claim_record", "secret_arn"])
def test_an_item_with_an_odd_attribute_redeems_nothing(table: Ground, name: str, odd: str) -> None:
    """A claim that can't be read may hide another run; one without its ID or time is named, with what removes it."""
    table.fresh()
    for value in (ODD[odd], {"S": ODD[odd]}, {"N": ODD[odd]}):
        table.change = change_nth("GetItem", 1, with_odd("Item", {**ITEM, name: value}))

        ended = table.end()

        check(table, ended)
        assert (ended, 0) in {(end, table.redemptions) for end in ("InvalidSecretDocument", "yielded")} | {
            ("TableUnavailable", 0)
        }
        assert ended != "InvalidSecretDocument" or "dynamodb delete-item" in str(table.error)


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(number=st.integers(1, 6), member=st.none() | st.integers(0, 5), value=ANY)
def test_any_response_has_a_name(ground: Ground, number: int, member: int | None, value: object) -> None:
    """Generated responses, or members of one, at any call of a run: nothing unnamed, nothing printed or lost."""
    ground.fresh()
    calls = 0

    def changed(_: str, response: Any) -> object:
        nonlocal calls
        calls += 1
        if calls != number or member is None or not response:
            return value if calls == number else response
        return {**response, list(response)[member % len(response)]: value}

    ground.change = changed

    check(ground, ground.end())
