import json
from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, claim, entry, record
from token_refresh.core.claims import Redemption, read_claim, read_record, write_claim, write_record
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue


def test_a_claim_is_read_as_it_was_written() -> None:
    """Nothing of a claim is lost by storing it; its time is the service's, given at reading."""
    written = claim("c2", attempt=2, earlier=(entry("c0", claimed_at=NOW - DAY), entry("c1")))

    assert written == read_claim("c2", write_claim(written, "nonce"), written.claimed_at)


def test_claims_of_two_runs_differ() -> None:
    """Equal claims would be accepted as one write: the nonce keeps them apart."""
    assert write_claim(claim(), "one") != write_claim(claim(), "other")


def test_a_claim_ends_with_its_time_to_live() -> None:
    """A claim made at noon for two minutes ends two minutes past noon."""
    assert NOW + 2 * MINUTE == claim(claimed_at=NOW, time_to_live=2 * MINUTE).ends_at


def test_the_chain_ends_with_the_claim_itself() -> None:
    """A claim knows the claims before it, oldest first, and is the last of them."""
    assert ["c0", "c1", "c2"] == [e.claim_id for e in claim("c2", earlier=(entry("c0"), entry("c1"))).chain]


def test_a_claim_holds_no_token() -> None:
    """What a claim stores is which version it is for, which attempt, how long, a nonce, and the claims before it."""
    stored = json.loads(write_claim(claim(earlier=(entry(),)), "n").reveal())

    assert ["attempt", "earlier", "nonce", "ttl_seconds", "version_id"] == sorted(stored)
    assert [["c1", "v0", 1, (NOW - HOUR).timestamp()]] == stored["earlier"]


@pytest.mark.parametrize("redemption", list(Redemption))
@pytest.mark.parametrize("error", [None, "invalid_grant"])
def test_a_record_is_read_as_it_was_written(redemption: Redemption, error: str | None) -> None:
    """Nothing of a record is lost by storing it."""
    written = record(redemption, error=error)

    assert written == read_record("r", write_record(written, entry()))


GOOD_CLAIM = {"version_id": "v", "attempt": 1, "ttl_seconds": 60, "nonce": "n", "earlier": []}
GOOD_RECORD = {"version_id": "v", "attempt": 1, "outcome": "unknown", "error": None, "at": 1_800_000_000}


@pytest.mark.parametrize(
    "changes",
    [
        {"version_id": 7},
        {"attempt": "1"},
        {"ttl_seconds": None},
        {"ttl_seconds": 1e300},
        {"earlier": None},
        {"earlier": [["c"]]},
        {"earlier": [["c", "v", 1, "soon"]]},
        {"earlier": [["c", "v", 1, 1e300]]},
    ],
)
def test_what_is_no_claim_is_named(changes: dict[str, object]) -> None:
    """A version under the claim's label that is no claim is an error that says how to mend it."""
    with pytest.raises(InvalidSecretDocument, match="version c1 is labelled REFRESH_CLAIM and is not a claim; put the"):
        read_claim("c1", SecretValue(json.dumps(GOOD_CLAIM | changes)), NOW)


@pytest.mark.parametrize("missing", ["version_id", "attempt", "ttl_seconds", "earlier"])
def test_a_claim_needs_all_its_keys(missing: str) -> None:
    """A claim that lacks a key is no claim."""
    with pytest.raises(InvalidSecretDocument, match="is not a claim"):
        read_claim("c1", SecretValue(json.dumps({k: v for k, v in GOOD_CLAIM.items() if k != missing})), NOW)


@pytest.mark.parametrize("changes", [{"outcome": "fine"}, {"outcome": 1}, {"error": 7}, {"at": "now"}, {"at": 1e300}])
def test_what_is_no_record_is_named(changes: dict[str, object]) -> None:
    """A version at a record's place that is no record is an error that names it."""
    with pytest.raises(InvalidSecretDocument, match="version r1 should be the record"):
        read_record("r1", SecretValue(json.dumps(GOOD_RECORD | changes)))


@pytest.mark.parametrize("missing", ["outcome", "error", "at"])
def test_a_record_needs_its_keys(missing: str) -> None:
    """A record that lacks a key that matters is no record."""
    with pytest.raises(InvalidSecretDocument, match="should be the record"):
        read_record("r1", SecretValue(json.dumps({k: v for k, v in GOOD_RECORD.items() if k != missing})))


def test_a_claim_s_time_to_live_is_in_seconds() -> None:
    """`ttl_seconds` is what it says."""
    assert timedelta(seconds=60) == read_claim("c", SecretValue(json.dumps(GOOD_CLAIM)), NOW).time_to_live
