"""Rule 2: host or claim store differ from the stored ones."""

from dataclasses import replace

import pytest

from testbed.builders import FORCED, IN_TABLE, RUN, claim, origin, policy, snapshot, token_set
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.steps import Mismatch, Redeem
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName, in_table


@pytest.mark.parametrize(
    ("current", "newest"),
    [
        (token_set(**origin(host="other.example")), None),
        (token_set(**origin(host="other.example")), claim(fate=Fate.REJECTED)),
        (token_set(), claim(fate=Fate.REJECTED, host="other.example")),
    ],
)
def test_no_token_goes_to_another_host(current: TokenSet, newest: Claim | None) -> None:
    """The document names the host, or without the key the newest claim does; force changes nothing."""
    found = plan(snapshot(newest, current=current), FORCED, policy())

    said = newest.claim_id if newest and current.document.origin is None else None
    assert Mismatch("TOKEN_ENDPOINT", "other.example", "provider.example", claim_id=said) == found


def test_the_document_s_host_counts_before_the_claim_s() -> None:
    """After `authorize` for another provider, old claims name the old host."""
    moved = token_set(**origin())

    assert isinstance(
        plan(snapshot(claim(fate=Fate.REJECTED, host="old.example"), current=moved), FORCED, policy()), Redeem
    )


TABLE, OTHER = in_table("claims"), in_table("others")


@pytest.mark.parametrize("stored", [IN_VERSIONS, OTHER])
def test_claims_are_in_one_store(stored: StoreName) -> None:
    """A deployment with a table touches no secret whose claims are versions, or in another table."""
    current = token_set(**origin(claim_store=stored))

    assert Mismatch("CLAIM_TABLE", stored, TABLE) == plan(snapshot(current=current), RUN, IN_TABLE)


def test_a_table_does_not_hide_the_claims_in_a_secret() -> None:
    """A document that no run has written names no store: claims that are in the secret count."""
    found = replace(snapshot(), claims_in_versions=True)

    assert Mismatch("CLAIM_TABLE", IN_VERSIONS, TABLE) == plan(found, FORCED, IN_TABLE)


@pytest.mark.parametrize(("named", "moving"), [(TABLE, True), (OTHER, False)])
def test_nothing_is_claimed_after_a_fence(named: StoreName, *, moving: bool) -> None:
    """From the fence on the claims are in its target, whatever the document names until the move is complete."""
    fenced = replace(claim(), fate=Fate.MOVED, moved_to=OTHER)
    current = token_set(**origin(claim_store=named))

    found = plan(snapshot(fenced, current=current), FORCED, IN_TABLE)

    assert Mismatch("CLAIM_TABLE", OTHER, TABLE, moving=moving) == found
