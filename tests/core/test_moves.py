"""Moves of claims: what the fence says, and the arrival that follows it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from testbed.builders import HOST, HOUR, NOW, attempt, claim, origin, snapshot, token_set
from token_refresh_worker.core.attempts import NO_TOKEN, Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.moves import arrival, fence
from token_refresh_worker.core.versions import claim_version_id, moved_version_id
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName, in_table

TABLE, OTHER = in_table("claims"), in_table("others")
NEWEST = claim("c1", fate=Fate.REJECTED, claim_number=7, host="older.example", grace=HOUR)
NAMED = origin(claim_id="c" * 36, number=3, host=HOST, grace=2 * HOUR)


def fenced(newest: Claim | None = NEWEST, source: StoreName = IN_VERSIONS, to: StoreName = TABLE) -> Claim:
    return fence(snapshot(newest), source, to, above=0, nonce="nonce")


def test_a_fence_ends_the_claims() -> None:
    """It follows the newest claim, is on no token, and says where the claims go; no run waits for it."""
    expected = Claim(
        claim_id=claim_version_id("c1"),
        version_id=claim_version_id("c1"),
        attempt_number=0,
        claimed_at=NOW,
        fingerprint=NO_TOKEN,
        fate=Fate.MOVED,
        versions=1,
        time_to_live=timedelta(0),
        earlier=(NEWEST,),
        number=8,
        host="older.example",
        grace=HOUR,
        nonce="nonce",
        moved_to=TABLE,
    )

    assert expected == fenced()
    assert 22 == len(NO_TOKEN)


def test_a_fence_without_a_claim_before_it() -> None:
    """Nobody knows host and grace then; a table's chain begins at the token set."""
    first, in_a_table = fenced(None), fenced(None, TABLE, OTHER)

    assert (claim_version_id(None), 1, None, None, ()) == (
        first.claim_id,
        first.number,
        first.host,
        first.grace,
        first.earlier,
    )
    assert claim_version_id("v0") == in_a_table.claim_id


def test_a_fence_says_what_the_document_says() -> None:
    """Host and grace of the document count before those of older claims."""
    snapped = snapshot(replace(NEWEST, number=4), current=token_set(**NAMED))

    made = fence(snapped, IN_VERSIONS, TABLE, above=0, nonce="nonce")

    assert (HOST, 2 * HOUR, 5) == (made.host, made.grace, made.number)


def test_a_fence_is_above_the_claims_of_the_new_store() -> None:
    """By its number the arrival is known to be there, whatever an earlier move left."""
    made = fence(snapshot(NEWEST), IN_VERSIONS, TABLE, above=20, nonce="nonce")

    assert 21 == made.number


@pytest.mark.parametrize(
    ("source", "to", "versions"), [(IN_VERSIONS, TABLE, (1, 1)), (TABLE, IN_VERSIONS, (0, 2)), (TABLE, OTHER, (0, 1))]
)
def test_a_move_counts_the_versions_that_it_takes(source: StoreName, to: StoreName, versions: tuple[int, int]) -> None:
    """Fence and arrival are versions in the secret alone, and the document that names the store always is."""
    ends = fenced(NEWEST, source, to)

    assert versions == (ends.versions, arrival(ends, base="v0", nonce="n").versions)


def test_the_arrival_follows_the_fence() -> None:
    """It is the next claim of one chain through all stores, with the fence in its ledger, and another nonce."""
    ends = fenced(None)

    begins = arrival(ends, base="v0", nonce="another")

    claim_id = claim_version_id(ends.claim_id)
    expected = replace(
        ends, claim_id=claim_id, version_id=claim_id, versions=1, earlier=(ends,), number=2, nonce="another"
    )
    assert expected == begins


def test_what_ended_on_the_old_document_counts_on_the_new_one() -> None:
    """A rejection, a backoff and `Retry-After` go along; where tokens may be stored, the old version still says."""
    fates = (Fate.NOT_REDEEMED, Fate.REJECTED, Fate.UNKNOWN, Fate.NO_RESULT, Fate.STORED)
    earlier = tuple(attempt(fate.value, fate, retry_at=NOW + HOUR) for fate in fates)
    others = (attempt("other", Fate.REJECTED, version_id="v7"),)
    ends = replace(fenced(), earlier=(*earlier, *others))

    begins = arrival(ends, base="v0", nonce="n")

    named = moved_version_id(begins.claim_id, "v0")
    assert [named, named, named, "v0", "v0", "v7", ends.version_id] == [a.version_id for a in begins.earlier]
    assert [NOW + HOUR] * 5 == [a.retry_at for a in begins.earlier[:5]]
    assert [*fates, Fate.REJECTED, Fate.MOVED] == [a.fate for a in begins.earlier]
