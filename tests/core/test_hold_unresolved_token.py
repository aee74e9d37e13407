"""Rule 8: the current token may have been used, and the grace period is over."""

from datetime import timedelta

import pytest

from testbed.builders import (
    DAY,
    FORCED,
    HOUR,
    MINUTE,
    NOW,
    RUN,
    SINGLE_USE,
    attempt,
    claim,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import RunState, TokenSet
from token_refresh_worker.core.steps import Hold, Reason, Redeem, Step, Wait

SECOND = timedelta(seconds=1)


def unresolved(*, grace: timedelta = DAY) -> Claim:
    return claim(fate=Fate.UNKNOWN, claimed_at=NOW - HOUR, grace=grace)


def test_a_token_of_unknown_outcome_is_held_until_the_last_quarter() -> None:
    """At a single-use provider a replay may revoke the grant, so it is made when there is little to lose."""
    current = token_set(expires_at=NOW + 4 * HOUR)
    held = snapshot(unresolved(grace=timedelta(0)), current=current)

    hold = Hold(NOW - HOUR, NOW + 2 * HOUR, "c1")
    assert [hold, hold] == [plan(held, run, SINGLE_USE) for run in (RUN, FORCED)]
    late = snapshot(unresolved(grace=timedelta(0)), now=NOW + 2 * HOUR, current=current)
    assert isinstance(plan(late, RUN, SINGLE_USE), Redeem)
    nothing_to_lose = snapshot(unresolved(grace=timedelta(0)), current=token_set(expires_at=None))
    assert isinstance(plan(nothing_to_lose, RUN, SINGLE_USE), Redeem)


def test_the_newest_attempt_of_unknown_outcome_is_named() -> None:
    """A run that names an older one, or an attempt that redeemed nothing, sends nothing."""
    earlier = (
        attempt("a", Fate.UNKNOWN, claimed_at=NOW - 3 * HOUR),
        attempt("b", Fate.SILENT, claimed_at=NOW - 2 * HOUR),
    )
    newest = claim("c", fate=Fate.NOT_REDEEMED, earlier=earlier, number=3, grace=timedelta(0))
    held = snapshot(newest, current=token_set(expires_at=NOW + 4 * HOUR))

    def steps(*named: str) -> list[Step]:
        return [plan(held, RunState(nonce="n", resend=claim_id), SINGLE_USE) for claim_id in named]

    assert [Hold(NOW - 3 * HOUR, NOW + 2 * HOUR, "b")] * 3 == steps("a", "c", "x")
    (step,) = steps("b")
    assert isinstance(step, Redeem)
    assert step.claim.forced


def test_naming_an_attempt_has_the_limit_of_forced_claims() -> None:
    """A caller of the function names at most as many attempts a day as it may force."""
    due, fresh = (token_set(expires_at=NOW + hours * HOUR) for hours in (4, 24))
    newest = claim(fate=Fate.UNKNOWN, claimed_at=NOW - HOUR, grace=timedelta(0), forced=True)
    limited = RunState(nonce="n", resend="c1", forced_claims_a_day=1)

    assert isinstance(plan(snapshot(newest, current=due), limited, SINGLE_USE), Hold)
    assert Wait(NOW + 23 * HOUR, Reason.FORCED_LIMIT) == plan(snapshot(newest, current=fresh), limited, SINGLE_USE)


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

    assert Hold(NOW - MINUTE, NOW + 59 * MINUTE, "c1") == plan(snapshot(third, current=current), RUN, SINGLE_USE)


def test_a_hold_lasts_until_a_claim_is_allowed() -> None:
    """It names the moment at which the token can really be sent: the daily limit counts, and the newest attempt."""
    settings = policy(grace=0 * HOUR)
    full = tuple(attempt(f"s{n}", Fate.NOT_REDEEMED, version_id="w") for n in range(40))
    unknown = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=full)
    earlier = attempt("e", Fate.UNKNOWN, number=12, claimed_at=NOW - MINUTE)

    assert Hold(NOW - MINUTE, NOW + 23 * HOUR, "c1") == plan(snapshot(unknown), RunState(), settings)
    newest = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=(earlier,))
    assert isinstance(plan(snapshot(newest), RunState(), settings), Redeem)
