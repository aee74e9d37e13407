"""Rule 8: the current token may have been used, and the grace period is over."""

from datetime import timedelta

import pytest

from builders import (
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
from token_refresh_worker.core.steps import Hold, Redeem

SECOND = timedelta(seconds=1)


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


def test_a_hold_lasts_until_a_claim_is_allowed() -> None:
    """It names the moment at which the token can really be sent: the daily limit counts, and the newest attempt."""
    settings = policy(grace=0 * HOUR)
    full = tuple(attempt(f"s{n}", Fate.NOT_REDEEMED, version_id="w") for n in range(40))
    unknown = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=full)
    earlier = attempt("e", Fate.UNKNOWN, number=12, claimed_at=NOW - MINUTE)

    assert Hold(NOW - MINUTE, NOW + 23 * HOUR) == plan(snapshot(unknown), RunState(), settings)
    newest = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=(earlier,))
    assert isinstance(plan(snapshot(newest), RunState(), settings), Redeem)
