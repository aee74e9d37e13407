"""Claims: the run that holds one redeems under it, and all others wait until it is over."""

from datetime import timedelta

import pytest

from builders import LIVE, MINUTE, NOW, attempt, claim, policy, snapshot, standing
from token_refresh.core.plan import Append, Reason, Redeem, Release, Wait, plan


def test_our_own_live_claim_lets_us_redeem() -> None:
    """Only the run that appended the claim redeems under it."""
    found = snapshot(newest=LIVE, attempts=(attempt(LIVE),))

    assert Redeem(LIVE) == plan(found, standing(claim_id="c1"), policy())
    assert Wait(LIVE.ends_at, Reason.CLAIMED) == plan(found, standing(), policy())


@pytest.mark.parametrize("forced_version", [None, "v0"])
def test_another_run_s_live_claim_is_waited_for_on_whichever_version(forced_version: str | None) -> None:
    """A live claim holds off every run, forced or not, also where it is on another version."""
    elsewhere = claim(version_id="other", claimed_at=NOW - MINUTE)

    step = plan(snapshot(newest=elsewhere), standing(forced_version=forced_version), policy())

    assert Wait(NOW + MINUTE, Reason.CLAIMED) == step


def test_a_claim_is_over_at_the_end_of_its_time_to_live() -> None:
    """A claim holds off others up to its end, and no moment longer."""
    found = snapshot(newest=LIVE, attempts=(attempt(LIVE),), now=LIVE.ends_at - timedelta(seconds=1))
    over = snapshot(newest=LIVE, attempts=(attempt(LIVE),), now=LIVE.ends_at)

    assert Wait(LIVE.ends_at, Reason.CLAIMED) == plan(found, standing(), policy())
    assert isinstance(plan(over, standing(), policy()), Append)


def test_a_claim_that_ended_early_holds_off_nobody() -> None:
    """Staged tokens or a record end a claim before its time to live does."""
    elsewhere = claim(version_id="other", claimed_at=NOW - MINUTE)

    assert isinstance(plan(snapshot(newest=elsewhere, ended=True), standing(), policy()), Append)


def test_our_own_claim_is_released_where_its_version_is_not_current_any_more() -> None:
    """A version that appeared between read and claim wins, and what we claimed is not redeemed."""
    ours = claim(version_id="before", claimed_at=NOW)

    assert Release(ours) == plan(snapshot(newest=ours), standing(claim_id="c1"), policy())


def test_our_own_claim_is_released_where_it_is_used_up() -> None:
    """A run that was held up for longer than its claim lives does not redeem under it."""
    found = snapshot(newest=LIVE, attempts=(attempt(LIVE),), now=LIVE.ends_at)

    assert Release(LIVE) == plan(found, standing(claim_id="c1"), policy())
