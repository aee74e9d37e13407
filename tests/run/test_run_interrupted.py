"""Runs after one that died: each test kills a run at a call, and the next makes good what it left."""

import pytest

from builders import DAY, MINUTE, NOW
from world import World, killed


@pytest.mark.parametrize("call", ["read AWSCURRENT", "put REFRESH_CLAIM"])
def test_a_run_that_died_before_its_claim_leaves_nothing_behind(call: str) -> None:
    """Before the claim is stored, a crash is as if the run had never been."""
    world = World()
    killed(world, call)

    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_died_with_its_claim_holds_others_off_until_it_ends() -> None:
    """A dead run's claim makes others yield, and says until when; then the next run refreshes."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    settled = world.execute()

    assert ("yielded", NOW + 2 * MINUTE) == (settled.name, settled.retry_at)
    assert world.labels()["AWSCURRENT"] == settled.tokens.version_id
    world.pass_time(2 * MINUTE)
    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_died_after_it_staged_is_recovered_without_a_request() -> None:
    """Tokens that an interrupted run had staged are promoted by the next, at once."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)

    assert "recovered" == world.outcome()
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))


def test_old_recovered_tokens_are_refreshed_in_the_same_run() -> None:
    """Recovered tokens that are due themselves by now are refreshed at once."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)
    world.pass_time(2 * DAY)

    assert "refreshed" == world.outcome()
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))
