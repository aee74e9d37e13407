"""Holds: after an unknown outcome nothing is sent where a replay could cost the grant."""

from datetime import timedelta
from typing import Any

import pytest

from builders import HOUR, MINUTE, NOW, OVER, SINGLE_USE, attempt, claim, entry, policy, snapshot, standing, token_set
from token_refresh.core.claims import Redemption
from token_refresh.core.plan import Append, Hold, plan
from token_refresh.core.schedule import CLAIMS_A_DAY


@pytest.mark.parametrize("recorded", [None, Redemption.UNKNOWN])
def test_an_unknown_outcome_holds_a_single_use_token_back(recorded: Redemption | None) -> None:
    """Where a replay could cost the grant, nothing is sent until the last quarter of the window."""
    due = token_set(expires_at=NOW + 7 * HOUR, issued_at=NOW - 17 * HOUR)
    found = snapshot(current=due, newest=OVER, attempts=(attempt(OVER, recorded=recorded),))

    assert Hold(OVER.claimed_at, NOW + 5 * HOUR) == plan(found, standing(), SINGLE_USE)
    assert isinstance(plan(found, standing(forced_version="v0"), SINGLE_USE), Append)


def test_a_hold_holds_where_the_clock_has_not_yet_reached_the_claim() -> None:
    """A service that tells the time in whole seconds may seem to answer before the claim; that is no grace period."""
    just_now = claim(claimed_at=NOW + timedelta(milliseconds=900))
    due = token_set(expires_at=NOW + 7 * HOUR, issued_at=NOW - 17 * HOUR)
    unknown = attempt(just_now, recorded=Redemption.UNKNOWN)
    found = snapshot(current=due, newest=just_now, ended=True, attempts=(unknown,))

    assert isinstance(plan(found, standing(), SINGLE_USE), Hold)


def test_a_hold_ends_with_the_last_quarter_of_the_window() -> None:
    """Shortly before the access token expires there is little left to lose, and the attempt is made."""
    due = token_set(expires_at=NOW + 2 * HOUR, issued_at=NOW - 22 * HOUR)
    found = snapshot(current=due, newest=OVER, attempts=(attempt(OVER),))

    assert isinstance(plan(found, standing(), SINGLE_USE), Append)


def test_a_hold_keeps_alarming_through_a_backoff() -> None:
    """In the last quarter a held refresh backs off like any other, and raises instead of yielding."""
    newest = claim("c3", attempt=3, claimed_at=NOW - 3 * MINUTE)
    due = token_set(expires_at=NOW + HOUR, issued_at=NOW - 23 * HOUR)
    found = snapshot(current=due, newest=newest, ended=True, attempts=(attempt(newest, recorded=Redemption.UNKNOWN),))

    assert Hold(newest.claimed_at, NOW + MINUTE) == plan(found, standing(), SINGLE_USE)


def test_a_hold_waits_for_the_daily_limit_too() -> None:
    """A hold names the moment at which an attempt is possible in every respect."""
    earlier = tuple(
        entry(f"c{n}", version_id="x", claimed_at=NOW - 23 * HOUR + n * MINUTE) for n in range(CLAIMS_A_DAY - 1)
    )
    newest = claim("last", claimed_at=NOW - HOUR, earlier=earlier)
    found = snapshot(current=token_set(expires_at=NOW), newest=newest, attempts=(attempt(newest),))

    assert Hold(newest.claimed_at, NOW + HOUR) == plan(found, standing(), SINGLE_USE)


@pytest.mark.parametrize("missing", [{"accessToken": None}, {"expires_at": None}], ids=["access token", "expiry"])
def test_a_token_set_without_an_expiry_has_nothing_to_hold_for(missing: dict[str, Any]) -> None:
    """Where no access token is in use, or nobody knows for how long, a replay costs nothing that consumers have."""
    found = snapshot(current=token_set(**missing), newest=OVER, attempts=(attempt(OVER),))

    assert isinstance(plan(found, standing(), SINGLE_USE), Append)


def test_within_the_provider_s_grace_an_unknown_outcome_is_repeated() -> None:
    """A lost answer is asked for again as long as the provider still accepts the refresh token."""
    found = snapshot(newest=OVER, attempts=(attempt(OVER),))

    assert isinstance(plan(found, standing(), policy(grace=2 * HOUR)), Append)


def test_the_grace_counts_from_the_first_unknown_attempt() -> None:
    """Once the grace since the first attempt that may have redeemed is over, a repeat could cost the grant."""
    first = entry("c1", claimed_at=NOW - 2 * HOUR)
    newest = claim("c2", attempt=2, claimed_at=NOW - HOUR, earlier=(first,))
    due = token_set(expires_at=NOW + 7 * HOUR)
    found = snapshot(current=due, newest=newest, attempts=(attempt(first), attempt(newest)))

    assert isinstance(plan(found, standing(), policy(grace=2 * HOUR + MINUTE)), Append)
    assert Hold(first.claimed_at, NOW + 5 * HOUR) == plan(found, standing(), policy(grace=2 * HOUR))


def test_attempts_that_redeemed_nothing_hold_nothing() -> None:
    """A recorded `not_redeemed` is as good as no attempt, where a single-use token is concerned."""
    found = snapshot(newest=OVER, ended=True, attempts=(attempt(OVER, recorded=Redemption.NOT_REDEEMED),))

    assert isinstance(plan(found, standing(), SINGLE_USE), Append)
