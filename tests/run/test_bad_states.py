"""Bad stored states: each ends by name, and costs no grant."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, attempt, claim
from token_refresh.errors import (
    InvalidSecretDocument,
    InvalidTokenResponse,
    RefreshOutcomeUnknown,
)
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import write_claim
from token_refresh_worker.core.versions import CLAIM, OUTCOME, claim_version_id, record_version_id, staged_version_id
from token_refresh_worker.oauth.response import FailedRequest, Kind, TokenResponse
from world import FIRST_CLAIM, World, killed

REJECTED = FailedRequest(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")


def test_an_unreadable_claim_blocks_for_an_hour() -> None:
    """Something else in a claim's place may hide a run: an hour later it counts as silent."""
    world = World()
    world.store.put(FIRST_CLAIM, SecretValue("[]"), label="SQUATTER")

    assert "yielded" == world.outcome()
    assert "yielded" == world.outcome()
    world.pass_time(HOUR)
    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("spoilt", ["[]", "{}", '{"earlier": 7}'])
def test_a_label_on_something_else_is_no_claim(spoilt: str) -> None:
    """The run starts from the claim that the document names."""
    world = World()
    world.execute()
    world.store.put("9" * 32, SecretValue(spoilt), label=CLAIM)

    assert "refreshed" == world.outcome(force=True)
    assert claim_version_id(FIRST_CLAIM) == world.labels()[CLAIM]


@pytest.mark.parametrize("spoilt", ["[]", '{"outcome": "fine"}'])
def test_an_unreadable_record_counts_as_none(spoilt: str) -> None:
    """It ends no open claim, and no run fails over it."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    world.store.put(record_version_id(FIRST_CLAIM), SecretValue(spoilt), label=OUTCOME)

    assert "yielded" == world.outcome()
    world.pass_time(2 * MINUTE)
    assert "refreshed" == world.outcome()


def test_an_unreadable_staged_set_is_never_made_current() -> None:
    """Something else in its place counts as an attempt of unknown outcome."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    first = world.labels()["AWSCURRENT"]
    killed(world, "put REFRESH_OUTCOME")
    world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue("{}"), label=OUTCOME)

    assert "yielded" == world.outcome()
    world.pass_time(2 * MINUTE)
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert first == world.labels()["AWSCURRENT"]


def test_tokens_that_do_not_fit_are_refused() -> None:
    """A response near 64 KiB is not a token response, and the message says what to do."""
    world = World(note="x" * 40_000)
    large = SecretValue("a" * 30_000)
    world.endpoint.responses = [TokenResponse(access_token=large, refresh_token=None, lifetime=DAY)]

    with pytest.raises(InvalidTokenResponse, match=r"would have \d+ bytes, and Secrets Manager takes 65536"):
        world.execute()
    record = world.store.read(label=OUTCOME)
    assert record is not None
    assert record.value is not None
    assert '"outcome":"unknown"' in record.value.reveal()


@pytest.mark.parametrize(
    "changes",
    [
        {"expiresAt": "9999-12-31T23:59:59Z"},
        {"expiresAt": "0001-01-01T00:00:00Z"},
        {"expiresAt": 10**18},
        {"refreshToken": "\ud800"},
        {"clientSecret": "\ud800"},
        {"tokenRefresh": {"host": "\ud800", "grace_seconds": 1e300, "store": [], "number": 10**30, "claim": {}}},
        {"tokenRefresh": {"host": "provider.example", "grace_seconds": 0, "store": "versions", "number": -1}},
        {"tokenRefresh": {"host": "provider.example", "grace_seconds": 0, "store": "versions", "claim": "short"}},
        {"tokenRefresh": {"host": 5, "grace_seconds": 0, "store": "versions"}},
        {"tokenRefresh": []},
    ],
)
def test_hostile_documents_end_by_name(changes: dict[str, Any]) -> None:
    """Whatever is stored, a run ends in an outcome or a named error, and claims nothing for what it can't refresh."""
    world = World(**{"expires_at": None, **changes})

    with contextlib.suppress(InvalidSecretDocument):
        assert "refreshed" == world.outcome()
        return
    assert CLAIM not in world.labels()


@pytest.mark.parametrize("fate", ["silent", "not_redeemed", "rejected", "unknown"])
def test_a_ledger_from_the_future_blocks_nothing(fate: str) -> None:
    """Entries that no clock of AWS can have written don't count towards a limit, a backoff or a hold."""
    world = World()
    entry = attempt("c" * 36, Fate(fate), version_id=world.labels()["AWSCURRENT"], claimed_at=NOW + 5000 * DAY)
    forged = claim(FIRST_CLAIM, version_id="v", time_to_live=timedelta(seconds=1), earlier=(entry,) * 40)
    world.store.put(FIRST_CLAIM, write_claim(forged), label=CLAIM)
    world.pass_time(MINUTE)

    assert "refreshed" == world.outcome()
