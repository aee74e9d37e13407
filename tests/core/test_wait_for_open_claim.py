"""Rule 7: another run may be redeeming, or the table that has its claim is lost."""

from datetime import timedelta

import pytest

from testbed.builders import FORCED, HOUR, IN_TABLE, MINUTE, NOW, RUN, claim, mark, origin, policy, snapshot, token_set
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import LOST_CLAIMS, plan
from token_refresh_worker.core.schedule import CLOCK_ERROR, SETTLED
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Reason, Redeem, ReplaceLostTable, Wait
from token_refresh_worker.core.versions import claim_version_id, unheld_claim_id
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND = timedelta(seconds=1)


def test_an_open_claim_is_waited_for() -> None:
    """Until its time to live is over, forced or not."""
    held = claim(claimed_at=NOW - MINUTE)

    assert Wait(NOW + MINUTE, Reason.CLAIMED) == plan(snapshot(held), RUN, policy())
    assert Wait(NOW + MINUTE, Reason.CLAIMED) == plan(snapshot(held), FORCED, policy())
    assert isinstance(plan(snapshot(held, now=NOW + MINUTE), RUN, policy()), Redeem)


@pytest.mark.parametrize("fate", [Fate.NOT_REDEEMED, Fate.UNKNOWN, Fate.REJECTED])
def test_a_record_ends_a_claim_early(fate: Fate) -> None:
    """Another run may go on as soon as the attempt has ended."""
    ended = claim(fate=fate, claimed_at=NOW - MINUTE)

    assert isinstance(plan(snapshot(ended), FORCED, policy()), Redeem)


def test_a_claim_from_the_far_future_is_not_waited_for() -> None:
    """The service never gives a time that is over an hour ahead of its clock."""
    ahead = claim(claimed_at=NOW + CLOCK_ERROR)
    too_far = claim(claimed_at=NOW + CLOCK_ERROR + SECOND)

    assert isinstance(plan(snapshot(ahead), FORCED, policy()), Wait)
    assert isinstance(plan(snapshot(too_far), FORCED, policy()), Redeem)


def test_a_named_claim_that_can_not_be_read_is_waited_for() -> None:
    """The current version names a claim that a stale read does not show yet; after nine minutes it was pruned."""
    named = token_set(stored_at=NOW - SETTLED + SECOND, **origin(claim_id="c" * 36, number=5))

    assert Wait(NOW + SECOND, Reason.UNREADABLE) == plan(snapshot(current=named), FORCED, policy())
    pruned = plan(snapshot(now=NOW + SECOND, current=named), FORCED, policy())
    assert isinstance(pruned, Redeem)
    assert (claim_version_id("c" * 36), 6, "c" * 36) == (pruned.claim.claim_id, pruned.claim.number, pruned.after)


def test_a_lost_table_is_replaced() -> None:
    """The table is behind the document: the claims that it may have held count as attempts of unknown outcome."""
    named = token_set(**origin(claim_id="c" * 36, number=5, claim_store=ClaimStoreKind.TABLE))
    behind = claim("c0", fate=Fate.NOT_REDEEMED, claim_number=2)

    for newest, after in ((None, None), (behind, "c0")):
        step = plan(snapshot(newest, current=named), FORCED, IN_TABLE)

        assert isinstance(step, ReplaceLostTable)
        assert (after, 5 + LOST_CLAIMS + 1, False) == (step.after, step.claim.number, step.claim.forced)
        lost = step.claim.earlier[-LOST_CLAIMS:]
        assert claim_version_id("c" * 36) == lost[0].claim_id
        assert claim_version_id(lost[0].claim_id) == lost[1].claim_id
        assert {(Fate.SILENT, "v0", mark("refresh-0"))} == {(a.fate, a.version_id, a.fingerprint) for a in lost}
        assert {(named.stored_at, 1)} == {(a.claimed_at, a.versions) for a in lost}
        assert step.claim.claim_id not in {a.claim_id for a in lost}


def test_what_replaces_a_lost_table_is_a_first_attempt_that_nobody_holds() -> None:
    """Its ID follows from the nonce alone, and the lost claims count as first attempts."""
    current = token_set(**origin(claim_id="c" * 36, number=4, claim_store=IN_TABLE.claim_store))
    restored = claim(fate=Fate.REJECTED, number=3, claim_number=2)

    step = plan(snapshot(restored, current=current, now=NOW + 2 * HOUR), RunState(nonce="n"), IN_TABLE)

    assert isinstance(step, ReplaceLostTable)
    assert {1} == {a.attempt_number for a in (step.claim, *step.claim.earlier) if a.claim_id != restored.claim_id}
    assert unheld_claim_id("n") == step.claim.claim_id
