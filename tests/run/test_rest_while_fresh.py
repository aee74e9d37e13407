"""Nothing is due; and how often a schedule looks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from run.world import World
from testbed.builders import DAY, FORCED, HOUR, MINUTE, NOW, RUN, attempt, claim, ms, policy, snapshot, token_set
from testbed.fakes import PUBLISHED_ID, tokens
from token_refresh.errors import TokenEndpointUnavailable
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Fresh, Reason, Redeem, Wait
from token_refresh_worker.oauth.response import FailedRequest, FailureKind

FRESH = token_set(expires_at=NOW + DAY)
SECOND = timedelta(seconds=1)
BUSY = FailedRequest(kind=FailureKind.BUSY, seen="HTTP 429")


def test_a_fresh_set_is_left() -> None:
    """Before it is due nothing happens; from the moment on it is refreshed."""
    assert Fresh() == plan(snapshot(current=token_set(expires_at=NOW + 8 * HOUR + SECOND)), RUN, policy())
    assert isinstance(plan(snapshot(current=token_set(expires_at=NOW + 8 * HOUR)), RUN, policy()), Redeem)
    assert isinstance(plan(snapshot(current=token_set(expires_at=None)), RUN, policy()), Redeem)


def test_a_forced_run_refreshes_a_fresh_set() -> None:
    """On the version that it read first, and on no other."""
    step = plan(snapshot(current=FRESH), FORCED, policy())

    assert isinstance(step, Redeem)
    assert step.claim.forced
    assert Fresh() == plan(snapshot(current=token_set("v1", expires_at=NOW + DAY)), FORCED, policy())


def test_forced_claims_have_a_limit_of_their_own() -> None:
    """Beyond it a fresh set waits, and a due one is refreshed like by a scheduled run."""
    limited = RunState(nonce="nonce", forced_version="v0", forced_claims_a_day=2)
    forced = claim("c2", fate=Fate.NOT_REDEEMED, forced=True, earlier=(attempt("c1", Fate.NOT_REDEEMED, forced=True),))

    assert Wait(NOW + 23 * HOUR, Reason.FORCED_LIMIT) == plan(snapshot(forced, current=FRESH), limited, policy())
    due = plan(snapshot(forced), limited, policy())
    assert isinstance(due, Redeem)
    assert not due.claim.forced
    unlimited = plan(snapshot(forced, current=FRESH), FORCED, policy())
    assert isinstance(unlimited, Redeem)


def test_a_schedule_that_is_slower_than_the_window_is_warned_of() -> None:
    """Tokens that live half an hour expire between runs that are forty minutes apart: each run says so."""
    world = World(expires_at=NOW + 25 * MINUTE, issued_at=NOW - 5 * MINUTE)
    for period, warned in ((40 * MINUTE, True), (10 * MINUTE, False), (None, False)):
        world.log.events.clear()
        run = world.run()
        run.parts = replace(run.parts, run_period=period)
        run.execute()
        assert warned is ("token_lifetime_too_short" in world.log.events)


@pytest.mark.parametrize("published", [False, True])
def test_a_doubted_set_is_refreshed_at_once_and_once(*, published: bool) -> None:
    """An expiry in 2036, or the refresh token's end: it is due, not published, and mended by one refresh."""
    world = World(policy=replace(policy(), lifetime=HOUR), expires_at=NOW + 100 * DAY, published=published)
    world.provider = replace(world.provider, access_token_lifetime=HOUR)
    world.endpoint.responses = [BUSY] * 5

    with pytest.raises(TokenEndpointUnavailable):
        world.execute()
    assert not published or "AWSCURRENT" not in world.labels(PUBLISHED_ID)

    world.endpoint.responses = [tokens(1, lifetime=HOUR)]
    assert ["refreshed", "fresh"] == [world.outcome(force=True), world.outcome()]
    assert ms(NOW + HOUR) - world.current()["expiresAt"] < 120_000
    assert not published or world.current(PUBLISHED_ID)["expiresAt"] == world.current()["expiresAt"]
