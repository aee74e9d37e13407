"""The rules 7 to 10, row by row: when a run waits for a claim, a grace period, a backoff or a day."""

from datetime import timedelta

import pytest

from builders import (
    DAY,
    FORCED,
    HOUR,
    IN_TABLE,
    MINUTE,
    NOW,
    RUN,
    SINGLE_USE,
    attempt,
    claim,
    mark,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import CLOCK_ERROR, LOST_CLAIMS, STALENESS, plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.steps import (
    Hold,
    Reason,
    Redeem,
    ReplaceLostTable,
    Wait,
)
from token_refresh_worker.core.versions import claim_version_id
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND = timedelta(seconds=1)


# 7: open claims


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
    """The current version names a claim that a stale read does not show yet; after 30 seconds it was pruned."""
    named = token_set(stored_at=NOW - STALENESS + SECOND, **origin(claim_id="c" * 36, number=5))

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
        assert {named.stored_at} == {a.claimed_at for a in lost}
        assert step.claim.claim_id not in {a.claim_id for a in lost}


# 8: hold


def unresolved(*, grace: timedelta = DAY) -> Claim:
    return claim(fate=Fate.UNKNOWN, claimed_at=NOW - HOUR, grace=grace)


def test_a_token_of_unknown_outcome_is_held_until_the_last_quarter() -> None:
    """At a single-use provider a replay may revoke the grant, so it is made when there is little to lose."""
    current = token_set(expires_at=NOW + 4 * HOUR)
    held = snapshot(unresolved(grace=timedelta(0)), current=current)

    assert Hold(NOW - HOUR, NOW + 2 * HOUR) == plan(held, RUN, SINGLE_USE)
    assert isinstance(plan(held, FORCED, SINGLE_USE), Redeem)
    late = snapshot(unresolved(grace=timedelta(0)), now=NOW + 2 * HOUR, current=current)
    assert isinstance(plan(late, RUN, SINGLE_USE), Redeem)
    nothing_to_lose = snapshot(unresolved(grace=timedelta(0)), current=token_set(expires_at=None))
    assert isinstance(plan(nothing_to_lose, RUN, SINGLE_USE), Redeem)


def test_within_the_grace_nothing_is_held() -> None:
    """The provider accepts the token until its grace is over."""
    current = token_set(expires_at=NOW + 4 * HOUR)

    assert isinstance(plan(snapshot(unresolved(), current=current), RUN, policy(grace=HOUR + SECOND)), Redeem)
    assert isinstance(plan(snapshot(unresolved(), current=current), RUN, policy(grace=HOUR)), Hold)


@pytest.mark.parametrize(
    ("current", "newest_grace"),
    [
        (token_set(expires_at=NOW + 4 * HOUR, **origin(grace=timedelta(0))), DAY),
        (token_set(expires_at=NOW + 4 * HOUR), timedelta(0)),
    ],
)
def test_the_smaller_grace_counts(current: TokenSet, newest_grace: timedelta) -> None:
    """The document's, or without the key the newest claim's: another deployment's settings raise nothing."""
    stored = unresolved(grace=newest_grace)

    assert isinstance(plan(snapshot(stored, current=current), RUN, policy(grace=DAY)), Hold)


def test_a_hold_says_when_the_next_attempt_is_made() -> None:
    """A backoff or the daily limit may end later than the last quarter begins."""
    current = token_set(expires_at=NOW + 2 * HOUR + 2 * MINUTE)
    third = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, number=7, grace=timedelta(0))

    assert Hold(NOW - MINUTE, NOW + 59 * MINUTE) == plan(snapshot(third, current=current), RUN, SINGLE_USE)


# 9: backoff


def test_failed_attempts_are_spaced() -> None:
    """The third attempt on a version waits two minutes after the second; a forced run does not."""
    second = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2)

    assert Wait(NOW + MINUTE, Reason.BACKOFF) == plan(snapshot(second), RUN, policy())
    assert isinstance(plan(snapshot(second), FORCED, policy()), Redeem)
    on_another_version = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2, version_id="v9")
    assert isinstance(plan(snapshot(on_another_version), RUN, policy()), Redeem)


# 10: daily limit


@pytest.mark.parametrize(("settings", "limit"), [(policy(), 40), (IN_TABLE, 80)])
def test_a_full_day_waits_forced_or_not(settings: Policy, limit: int) -> None:
    """40 claims a day fit into a secret's versions, and 80 into a table."""
    others = tuple(
        attempt(f"c{n}", Fate.NOT_REDEEMED, version_id="v9", claimed_at=NOW - 23 * HOUR) for n in range(limit - 1)
    )
    full = claim("last", fate=Fate.NOT_REDEEMED, version_id="v9", earlier=others)
    room = claim("last", fate=Fate.NOT_REDEEMED, version_id="v9", earlier=others[1:])

    for run in (RUN, FORCED):
        assert Wait(NOW + HOUR, Reason.DAILY_LIMIT) == plan(snapshot(full), run, settings)
        assert isinstance(plan(snapshot(room), run, settings), Redeem)
