"""Runs that are short of time: nothing is claimed or redeemed that could not be stored."""

from datetime import timedelta

import pytest

from builders import MINUTE, SINGLE_USE
from token_refresh.errors import DeadlineExceeded
from world import World


def test_each_request_leaves_time_to_store_its_answer() -> None:
    """A request's time limit is cut to what is left, less what storing needs."""
    world = World()

    world.execute(time_left_seconds=90.0)
    world.execute(time_left_seconds=25.0, force=True)

    assert [20.0, 15.0] == world.endpoint.timeouts


def test_a_run_with_too_little_time_claims_nothing() -> None:
    """A run that could not redeem and store safely leaves the secret as it is."""
    world = World()
    before = world.model.snapshot()

    with pytest.raises(DeadlineExceeded, match="14 s are left for secret tokens and a refresh needs 15 s"):
        world.execute(time_left_seconds=14.0)
    assert before == world.model.snapshot()


def test_a_run_that_lost_its_time_after_the_claim_gives_the_claim_back() -> None:
    """A claim under which nothing was sent is ended, so that its outcome is not taken for unknown."""
    world = World(policy=SINGLE_USE)

    with (
        world.at("read AWSPENDING", lambda: world.pass_time(timedelta(seconds=80))),
        pytest.raises(DeadlineExceeded),
    ):
        world.execute()
    assert [] == world.endpoint.requests
    assert "refreshed" == world.outcome()


def test_a_claim_that_ran_out_before_it_was_used_is_not_redeemed_under() -> None:
    """A run that was held up for longer than its claim lives starts over, or leaves it to others."""
    world = World(policy=SINGLE_USE)

    with world.at("put REFRESH_CLAIM", lambda: world.pass_time(2 * MINUTE), after=True):
        assert "refreshed" == world.outcome(time_left_seconds=300.0)
    assert (1, 2) == (len(world.endpoint.requests), world.store.calls.count("put REFRESH_CLAIM"))
