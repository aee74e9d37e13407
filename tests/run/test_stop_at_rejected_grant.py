"""Rule 5: the provider rejected the refresh token."""

import re

import pytest

from run.grant import REJECTED
from run.world import World
from testbed.builders import DAY, MINUTE, NOW, RUN, attempt, claim, policy, snapshot
from token_refresh.errors import ReauthorizationRequired
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Redeem
from token_refresh_worker.oauth.response import EndpointResponse


def test_a_rejection_before_a_failure_blocks_nothing() -> None:
    """Only the newest attempt on the version counts."""
    newest = claim("c2", fate=Fate.NOT_REDEEMED, number=2, earlier=(attempt("c1", Fate.REJECTED),))

    assert isinstance(plan(snapshot(newest), RUN, policy()), Redeem)


# The whole run.


def test_invalid_grant_stops_every_run_until_somebody_authorizes_again() -> None:
    """A rejected grant is asked about once; a new version of the secret clears it by itself."""
    world = World()
    world.endpoint.responses = [REJECTED]

    said = (
        " at 2026-11-24 12:00:00 UTC; the next scheduled attempt is after 2026-11-24 13:00:00 UTC. "
        "Get a new grant with `token-refresh authorize tokens --region eu-central-1`"
    )
    for how in (" (HTTP 400 with invalid_grant)", "", ""):  # what the first run saw, a later one did not see
        with pytest.raises(ReauthorizationRequired, match=re.escape(f"secret tokens in eu-central-1{how}{said}")):
            world.execute()
    assert 1 == len(world.endpoint.requests)
    assert (Fate.REJECTED, "invalid_grant") == (world.record().fate, world.record().error)

    world.save(refreshToken="new grant")
    assert "refreshed" == world.outcome()


def test_one_false_rejection_stops_no_scheduled_run_for_ever() -> None:
    """The grant is asked for again an hour later."""
    world = World()
    world.endpoint.responses = [REJECTED]
    for wait in (59 * MINUTE, MINUTE):
        with pytest.raises(ReauthorizationRequired):
            world.execute()
        world.pass_time(wait)
    assert 1 == len(world.endpoint.requests)

    assert "refreshed" == world.outcome()


def test_a_forced_run_asks_about_a_dead_grant_once() -> None:
    """Force gives a rejected grant one more request a run, and no more."""
    world = World()
    world.endpoint.responses = [REJECTED] * 3

    for _ in range(2):
        with pytest.raises(ReauthorizationRequired):
            world.execute(force=True)
    assert 2 == len(world.endpoint.requests)


def test_a_redemption_that_was_lost_to_another_refresher_is_named() -> None:
    """After `invalid_grant` the state is read again: other tokens that are current by now are adopted."""
    world = World()

    def replaced() -> EndpointResponse:
        world.save(refreshToken="theirs", expires_at=NOW + DAY)
        return REJECTED

    world.endpoint.responses = [replaced]

    assert "superseded" == world.outcome()
    assert "theirs" == world.current()["refreshToken"]
    assert "refresh_superseded" in world.log.events
