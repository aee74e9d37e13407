"""Whatever is stored in the token secret or beside it, a run ends with a name and loses nothing."""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from examples import examples
from secrecy.canaries import canary
from testbed.testbed import CLIENT, PUBLISHED
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.core.versions import CLAIM, OUTCOME, claim_version_id, record_version_id, staged_version_id
from worker.handler_between import Ground

GROUP = "unmeasured"

PLANTED = {"the canary": canary()}
CANARY = PLANTED["the canary"]
BASE = "0" * 36
"""The version ID of the current version."""
FIRST = claim_version_id(None)
REDEEMED = fingerprint_of(SecretValue("another token"))

TIMES = [
    *(0, -1, 10**8, 10**11, 1e18, -1e18, 10**400, 253402300799000),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"),
]
ODD = st.sampled_from(
    [
        *(None, True, False, "", " ", "\ud800", f"\x1b]0;{CANARY}\x07", CANARY, "a" * 2_000),
        *([], {}, [CANARY], [[1, 2, 3, 4]], {CANARY: CANARY}, float("nan"), float("inf")),
        *TIMES,
    ]
)
ANY = st.recursive(
    ODD | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(min_size=1, max_size=30) | st.just("[" * 70 + "]" * 70) | st.just("[" * 6_000) | ANY.map(json.dumps)


def changed(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Change up to three keys to anything."""
    return st.dictionaries(st.sampled_from(keys), ANY, max_size=3)


DOCUMENT = changed(
    *("accessToken", "refreshToken", "expiresAt", "issuedAt", "clientId", "clientSecret", "provider"),
    *("access_token", "expires_at", "client_secret", "providerVariables", "tokenRefresh", "note"),
)
ORIGIN = changed("claim", "number", "host", "grace_seconds", "store")
CLAIMED = changed(
    *("version_id", "attempt", "ttl_seconds", "nonce", "earlier"),
    *("number", "token", "host", "grace_seconds", "forced", "versions", "moved_to", "pause"),
)
RECORDED = changed("outcome", "error", "retry_at", "next")
ATTRIBUTES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "claim_id": st.just({"S": FIRST}) | st.builds(lambda text: {"S": text}, st.text(max_size=8)),
        "claimed_at": st.sampled_from(["", "0", "1e18", "nan", "-1", "1764000000"]).map(lambda number: {"N": number}),
        "claim": TEXT.map(lambda text: {"S": text}),
        "claim_record": TEXT.map(lambda text: {"S": text}) | st.just({"NULL": True}),
    },
)


@pytest.fixture(scope="module")
def versions() -> Iterator[Ground]:
    with Ground(published=True) as ground:
        yield ground


def claim(now: float) -> dict[str, Any]:
    entry = ["0" * 36, BASE, 1, now - 7200, REDEEMED, "silent", None, False, 2, None]
    return {
        "version_id": BASE,
        "attempt": 1,
        "ttl_seconds": 120.0,
        "nonce": "n",
        "earlier": [entry],
        "number": 1,
        "token": REDEEMED,
        "host": "127.0.0.1",
        "grace_seconds": 0.0,
        "forced": False,
        "versions": 2,
    }


def begin(ground: Ground, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Begin anew with a changed document under a known version ID."""
    ground.fresh()
    document: dict[str, Any] = {**ground.document, **changes}
    ground.put(json.dumps(document), version_id=BASE)
    return document


def store(ground: Ground, name: str, text: str) -> None:
    request = {"SecretId": name, "ClientRequestToken": str(uuid.uuid4()), "SecretString": text}
    ground.store.call("PutSecretValue", request)


def run_and_check(ground: Ground, event: object) -> str:
    """Run, and hold the run to what is true whatever was stored."""
    before = {version.version_id: version.value for version in ground.secret.versions}
    redeemed = ground.redemptions

    ended = ground.end(event)

    assert "InternalError" != ended, ground.error
    assert [ended] == [line.get("outcome") or line["error_type"] for line in ground.last_lines]
    assert [] == ground.leaking(PLANTED)
    after = {version.version_id: version.value for version in ground.secret.versions}
    assert before == {version_id: after[version_id] for version_id in before}, "a stored version was lost"
    assert ground.redemptions - redeemed <= 1
    assert ground.endpoint.grant.alive
    if ended in {"InvalidSecretDocument", "ConfigurationError", "SecretEmpty"}:
        assert redeemed == ground.redemptions
    if ground.redemptions:
        assert ground.claimed
        assert ground.newest_stored
    return ended


def run_twice(ground: Ground, event: object) -> None:
    """Run, let every claim end, and run again."""
    run_and_check(ground, event)
    ground.pass_seconds(2 * 3600)
    run_and_check(ground, event)


quick = settings(
    max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
EVENTS = st.sampled_from([{}, {"force": True}])


@quick
@given(changes=DOCUMENT, origin=ORIGIN, event=EVENTS)
@example(changes={"expiresAt": "9999-12-31T23:59:59Z", "issuedAt": 10**15}, origin={}, event={})
@example(changes={"expiresAt": "0001-01-01T00:00:00Z"}, origin={}, event={})
@example(changes={"refreshToken": "\ud800"}, origin={}, event={})
@example(changes={"note": "a" * 48_900}, origin={}, event={})
def test_any_document(versions: Ground, changes: dict[str, Any], origin: dict[str, Any], event: object) -> None:
    """A token document with odd keys: keys that are not about the tokens stay as they are, and nothing is lost."""
    own: dict[str, Any] = {"claim": FIRST, "number": 1, "host": "127.0.0.1", "grace_seconds": 0, "store": "versions"}
    document = begin(versions, ({"tokenRefresh": own | origin} if origin else {}) | changes)

    run_twice(versions, event)

    if versions.redemptions and "note" in document:
        assert json.dumps(document["note"]) in versions.values


@quick
@given(text=TEXT, event=EVENTS)
def test_a_value_that_is_no_document_redeems_nothing(versions: Ground, text: str, event: object) -> None:
    """Anything else in the token secret's current version ends the run before a claim."""
    begin(versions, {})
    versions.put(text)

    assert "InvalidSecretDocument" == run_and_check(versions, event)
    assert not versions.claimed


@quick
@given(
    changes=CLAIMED,
    text=st.none() | TEXT,
    record=st.none() | RECORDED | TEXT,
    staged=st.none() | DOCUMENT | TEXT,
    age_seconds=st.sampled_from([0, 60, 4000]),
    event=EVENTS,
)
def test_any_claim(  # noqa: PLR0917 - all that may be stored under a claim
    versions: Ground,
    changes: dict[str, Any],
    text: str | None,
    record: dict[str, Any] | str | None,
    staged: dict[str, Any] | str | None,
    age_seconds: int,
    event: object,
) -> None:
    """Claims, records and staged sets with odd keys, or something else in their place."""
    document = begin(versions, {})
    now = versions.store.now()
    versions.store.clock_offset_seconds -= age_seconds
    versions.put(text or json.dumps(claim(now) | changes), version_id=FIRST, label=CLAIM)
    if record is not None:
        ended = {"outcome": "not_redeemed"}
        written = record if isinstance(record, str) else json.dumps(ended | record)
        versions.put(written, version_id=record_version_id(FIRST), label=OUTCOME)
    if staged is not None:
        written = staged if isinstance(staged, str) else json.dumps(document | staged)
        versions.put(written, version_id=staged_version_id(FIRST, BASE), label=OUTCOME)
    versions.store.clock_offset_seconds += age_seconds

    run_twice(versions, event)


@quick
@given(client=TEXT | changed("clientId", "clientSecret", "client_id").map(json.dumps), published=TEXT)
def test_any_neighbour(versions: Ground, client: str, published: str) -> None:
    """Anything in the client secret and in the published copy."""
    begin(versions, {})
    store(versions, PUBLISHED, published)
    store(versions, CLIENT, client)

    run_twice(versions, {})


@quick
@given(attributes=ATTRIBUTES, changes=CLAIMED, event=EVENTS)
def test_any_item(table: Ground, attributes: dict[str, Any], changes: dict[str, Any], event: object) -> None:
    """Anything in the claim table's item: an unreadable one counts as a claim."""
    assert table.table is not None
    table.fresh()
    arn, now = table.secret.arn, table.store.now()
    readable = {
        "claim_id": {"S": FIRST},
        "claimed_at": {"N": str(now - 4000)},
        "claim": {"S": json.dumps(claim(now) | changes)},
    }
    table.table.tables["claims"][arn] = {"secret_arn": {"S": arn}, **readable, **attributes}

    run_twice(table, event)
