import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from testbed.builders import DAY, HOUR, NOW, document, ms
from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import NESTING_LIMIT, read_object
from token_refresh.stored.times import LONGEST_LIFETIME
from token_refresh_worker.stored.document import TokenDocument, read_document
from token_refresh_worker.stored.origin import IN_VERSIONS, ORIGIN_KEY, Origin, checked_form

SNAKE = {"access_token": "a", "refresh_token": "r", "expires_at": 1_800_000_000, "scope": "x", "n": [1, {"k": None}]}
CAMEL = {"accessToken": "a", "refreshToken": "r", "expiresAt": 1_800_000_000_000, "scope": "x", "n": [1, {"k": None}]}


def read(value: object) -> TokenDocument:
    return read_document(SecretValue(json.dumps(value)), needs_refresh_token=True)


@pytest.fixture
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def renew(before: TokenDocument, **changes: Any) -> dict[str, Any]:
    tokens: dict[str, Any] = {
        "access_token": SecretValue("A"),
        "refresh_token": SecretValue("R"),
        "lifetime": DAY,
        "issued_at": NOW,
    }
    after: dict[str, Any] = json.loads(before.renewed(**(tokens | changes)).serialize().reveal())
    return after


SECONDS = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("stored", "changes"),
    [
        (CAMEL, {"accessToken": "A", "refreshToken": "R", "expiresAt": ms(NOW + DAY), "issuedAt": ms(NOW)}),
        (SNAKE, {"access_token": "A", "refresh_token": "R", "expires_at": SECONDS + 86_400, "issued_at": SECONDS}),
    ],
    ids=["camel case, milliseconds", "snake case, seconds"],
)
def test_what_was_found_is_written_back(stored: dict[str, Any], changes: dict[str, Any]) -> None:
    """Spelling, unit and every other key stay."""
    assert stored | changes == renew(read(stored))


@pytest.mark.parametrize("written", ["2026-11-24T13:00:00Z", "2026-11-24T13:00:00+00:00", "2026-11-24T14:00:00+01:00"])
def test_an_iso_8601_expiry_is_read_and_written_back_as_such(written: str) -> None:
    """ISO 8601 stays ISO 8601, for the time of issue as well."""
    before = read(CAMEL | {"expiresAt": written})

    assert NOW + HOUR == before.expires_at
    after = renew(before)
    assert ("2026-11-25T12:00:00Z", "2026-11-24T12:00:00Z") == (after["expiresAt"], after["issuedAt"])


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (SECONDS, SECONDS + 86_400),
        (SECONDS * 1000, (SECONDS + 86_400) * 1000),
        (SECONDS + 0.75, SECONDS + 86_400),
        (SECONDS * 1000 + 0.75, (SECONDS + 86_400) * 1000),
        (str(SECONDS), str(SECONDS + 86_400)),
        (f"{SECONDS}.75", str(SECONDS + 86_400)),
    ],
)
@pytest.mark.parametrize(("stored", "key"), [(CAMEL, "expiresAt"), (SNAKE, "expires_at")])
def test_the_form_of_a_number_stays(stored: dict[str, Any], key: str, found: float | str, written: int | str) -> None:
    """Seconds, milliseconds and digits as text are read under either key, without a fraction, and written back so."""
    before = read(stored | {key: found})

    assert NOW == before.expires_at
    assert written == renew(before)[key]


@pytest.mark.usefixtures("_far_from_utc")
def test_a_time_without_a_zone_is_utc_on_every_machine() -> None:
    """An ISO 8601 expiry without an offset means UTC, wherever the worker runs; one with an offset is converted."""
    for written in ("2026-11-24T12:00:00", "2026-11-24T14:00:00+02:00"):
        expires_at = read(CAMEL | {"expiresAt": written}).expires_at
        assert NOW == expires_at
        assert expires_at.tzinfo is UTC


@pytest.mark.parametrize("changes", [{}, {"accessToken": None}, {"accessToken": ""}, {"expiresAt": None}])
def test_only_a_refresh_token_is_required(changes: dict[str, Any]) -> None:
    """A document without an access token or an expiry is whole: it is due now."""
    found = read({"refreshToken": "r"} | changes)

    assert (None, None, None) == (found.access_token, found.expires_at, found.lifetime)


def test_the_time_of_issue_makes_the_lifetime_known() -> None:
    """The lifetime is what lies between issue and expiry, where both are there and in order."""
    known = document(expires_at=NOW + DAY, issued_at=NOW)
    unknown = document(expires_at=NOW + DAY)
    nonsense = document(expires_at=NOW, issued_at=NOW + DAY)
    never_lived = document(expires_at=NOW, issued_at=NOW)

    assert [DAY, None, None, None] == [d.lifetime for d in (known, unknown, nonsense, never_lived)]


@pytest.mark.parametrize(
    ("before", "stated", "lifetime"),
    [
        (document(expires_at=NOW, issued_at=NOW - 3 * HOUR), None, 3 * HOUR),
        (document(), None, HOUR),
        (document(expires_at=NOW + 3000 * 365 * DAY, issued_at=NOW), None, LONGEST_LIFETIME),
        (document(), timedelta.max, LONGEST_LIFETIME),
    ],
)
def test_how_long_new_tokens_live(before: TokenDocument, stated: timedelta | None, lifetime: timedelta) -> None:
    """As long as the response says, else as the ones before, else an hour; centuries count as ten years."""
    assert ms(NOW + lifetime) == renew(before, lifetime=stated)["expiresAt"]


def test_a_fraction_of_a_second_makes_the_expiry_earlier_not_later() -> None:
    """Times are stored in whole seconds, and never later than they are."""
    after = renew(document(), issued_at=NOW + timedelta(milliseconds=999))

    assert (ms(NOW), ms(NOW + DAY)) == (after["issuedAt"], after["expiresAt"])


def test_a_token_set_is_carried_onto_another_document() -> None:
    """Carried tokens take the other document's spelling and keys, and keep their own times."""
    received = document(expires_at=NOW + DAY, issued_at=NOW, lost="key")

    carried = json.loads(received.carried(onto=read(SNAKE)).serialize().reveal())

    times = {"expires_at": SECONDS + 86_400, "issued_at": SECONDS}
    assert SNAKE | {"access_token": "access-0", "refresh_token": "refresh-0"} | times == carried


@pytest.mark.parametrize("changes", [{"accessToken": None}, {"issued_at": None}])
def test_an_incomplete_token_set_is_not_carried(changes: dict[str, Any]) -> None:
    """What lacks an access token or a time of issue was not staged by this worker."""
    incomplete = document(**({"issued_at": NOW, "expires_at": NOW + DAY} | changes))

    with pytest.raises(InvalidSecretDocument, match=r"^staged tokens lack an access token or the time of issue$"):
        incomplete.carried(onto=document())


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ([1], "is a JSON array"),
        ({}, "^refreshToken or refresh_token is missing, null or empty$"),
        (CAMEL | SNAKE, "^accessToken and access_token are both in the secret; keep one spelling$"),
        (CAMEL | {"refreshToken": None}, "refreshToken is missing, null or empty"),
        (CAMEL | {"refreshToken": 7}, "refreshToken must be a string, and is a JSON number"),
        (CAMEL | {"accessToken": ["a"]}, "accessToken must be a string, and is a JSON array"),
        (CAMEL | {"expiresAt": 18_000_000}, "^expiresAt is not a time: it must be Unix seconds or"),
        (CAMEL | {"issuedAt": {}}, "^issuedAt is not a time: .* Correct that key$"),
        (CAMEL | {"refreshToken": "r\n"}, "refreshToken must hold printable ASCII characters without a space at"),
        (CAMEL | {"refreshToken": "\ud800"}, "refreshToken must hold printable ASCII"),
    ],
)
def test_a_wrong_document_names_the_field(stored: object, says: str) -> None:
    """Each way of being wrong is named by its field; test_access_token.py has what both readers share."""
    with pytest.raises(InvalidSecretDocument, match=says):
        read(stored)


def test_any_character_in_another_key_can_be_sent() -> None:
    """What is written is ASCII: not even half a surrogate pair in another key can keep tokens from being stored."""
    before = read_document(SecretValue('{"refreshToken": "r", "note": "\\ud800 \\u00e9"}'), needs_refresh_token=True)

    renewed = before.renewed(access_token=SecretValue("A"), refresh_token=None, lifetime=None, issued_at=NOW)

    assert renewed.serialize().reveal().isascii()
    assert "\ud800 é" == json.loads(renewed.serialize().reveal())["note"]


def test_where_there_is_no_refresh_token_the_access_token_is_redeemed() -> None:
    """With neither, it is empty text, so that a first token can be asked for."""
    exchange, first = (
        read_document(SecretValue(stored), needs_refresh_token=False) for stored in ('{"accessToken": "a"}', "{}")
    )

    assert ("a", "") == (exchange.redeemed_token.reveal(), first.redeemed_token.reveal())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*CAMEL, *SNAKE, "issuedAt", "issued_at", "clientId", "other"])
times = st.sampled_from([1_800_000_000, 1_800_000_000_000, "2026-11-24T12:00:00Z", 0, -5, 10**18, None, "x"])
documents = st.dictionaries(names, st.text(max_size=6) | times | json_values, max_size=8).map(
    lambda d: json.dumps(d)  # noqa: PLW0108 - allows NaN, on purpose
)


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@settings(max_examples=examples(3_000))
@given(stored=documents | st.text(max_size=60))
def test_whatever_is_stored_is_read_or_refused_by_name(stored: str) -> None:
    """Generated documents: each is read and written back with its other keys, or is an InvalidSecretDocument."""
    try:
        found = read_document(SecretValue(stored), needs_refresh_token=True)
    except InvalidSecretDocument:
        return

    after = renew(found)

    ours = {*CAMEL, *SNAKE, "issuedAt", "issued_at"} - {"scope", "n"}
    others = [{k: v for k, v in d.items() if k not in ours} for d in (json.loads(stored), after)]
    assert others[0] == others[1]
    assert (NOW, NOW + DAY) == (read(after).issued_at, read(after).expires_at)


def test_a_document_of_a_later_release_is_named() -> None:
    """Where a document must not be misread, since a later release stored it, the error says which, and the remedy."""
    with pytest.raises(ConfigurationError, match=r"^version 1: a later release stored it, .* Deploy the later"):
        checked_form(lambda: read(SNAKE | {ORIGIN_KEY: {"form": 2}}), "version 1")


@pytest.mark.parametrize("stored", ["", "{", "NaN", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "[" * 100_000])
def test_what_is_not_json_is_refused(stored: str) -> None:
    """Text that is not strict JSON, or that no document could be written back from, is not a document."""
    with pytest.raises(InvalidSecretDocument, match=r"^the secret's value is not JSON; it must be a JSON object$"):
        read_object(SecretValue(stored))


def test_nesting_is_limited() -> None:
    """A document is refused that could be read and then not be written, since that would lose tokens."""

    def nested(lists: int) -> SecretValue:
        return SecretValue(f'{{"deep": {"[" * lists}1{"]" * lists}}}')

    read_object(nested(NESTING_LIMIT - 2))
    with pytest.raises(InvalidSecretDocument, match="nested deeper"):
        read_object(nested(NESTING_LIMIT - 1))


@pytest.mark.parametrize("tokens", [{"refreshToken": "r", "accessToken": "a"}, {"refresh_token": "r"}])
def test_a_revoked_document_keeps_its_spelling(tokens: dict[str, object]) -> None:
    """The next grant is stored as the one before was: services read these keys."""
    known = replace(Origin(host="h", grace=DAY, claim_store=IN_VERSIONS), revoked_at=NOW)
    revoked = read(tokens | {"client_id": "c"}).revoked(known)
    stored = read_document(revoked.serialize(), needs_refresh_token=True)
    again = stored.renewed(access_token=SecretValue("n"), refresh_token=SecretValue("s"), lifetime=HOUR, issued_at=NOW)

    assert NOW == stored.revoked_at
    assert {"r", "a"}.isdisjoint(map(str, stored.fields.values()))
    assert {*tokens, "client_id"} <= {*again.fields}
    assert again.fields.keys().isdisjoint({"refreshToken", "refresh_token"} - {*tokens})
