"""Runs that others interfere with: another run, a live claim, or an operator who stores a version meanwhile."""

import pytest

from builders import DAY, NOW
from world import Killed, World, fail, killed


def test_a_run_that_lost_the_race_for_the_claim_yields() -> None:
    """Where another run appended the same claim first, this one sends nothing."""
    world = World()

    def another() -> None:
        with world.at("put REFRESH_OUTCOME", fail(Killed())), pytest.raises(Killed):
            world.execute()

    with world.at("put REFRESH_CLAIM", another):
        assert "yielded" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_lost_the_race_to_a_whole_refresh_is_fresh() -> None:
    """Where another run did all the work meanwhile, there is nothing left to do."""
    world = World()

    with world.at("put REFRESH_CLAIM", world.execute):
        assert "fresh" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_forced_run_waits_for_another_s_result() -> None:
    """A forced run that meets another's live claim polls until the other's tokens are stored, and promotes them."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)
    staged = world.model.snapshot()
    world = World()
    killed(world, "put REFRESH_OUTCOME")

    with world.at("read AWSCURRENT", lambda: world.model.restore(staged), nth=4):
        settled = world.execute(force=True)

    assert "recovered" == settled.name
    assert 3 == len(world.clock.slept)


def test_a_forced_run_takes_over_when_the_other_s_claim_ends() -> None:
    """A forced run that outlasts a dead run's claim refreshes itself."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    assert "refreshed" == world.outcome(force=True, time_left_seconds=300.0)
    assert 120 <= world.clock.seconds < 128


def test_a_forced_run_waits_no_longer_than_its_own_deadline() -> None:
    """A forced run yields in the end, within its deadline."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    assert "yielded" == world.outcome(force=True, time_left_seconds=30.5)
    assert 30.5 == world.clock.seconds


def test_a_version_that_an_operator_stored_meanwhile_wins() -> None:
    """A promotion is refused where another version is current by now: nothing is overwritten."""
    world = World()

    with world.at("move AWSCURRENT", lambda: world.save(refreshToken="other", expires_at=NOW + DAY)):
        assert "fresh" == world.outcome()
    assert "other" == world.current()["refreshToken"]
    assert "promotion_refused" in world.log.events
