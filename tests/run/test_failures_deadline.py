"""Runs that are short of time: nothing is claimed or redeemed that could not be stored."""

import pytest

from builders import HOUR, SINGLE_USE
from token_refresh.errors import DeadlineExceeded, TokenEndpointUnavailable
from token_refresh_worker.oauth.response import FailedRequest, Kind, Response
from world import World


def test_each_request_leaves_time_to_store_the_tokens() -> None:
    """At a provider with a grace period a request takes 20 s at most, and no more than is left without 10 s."""
    world = World()

    world.execute(time_left_seconds=90.0)
    world.execute(time_left_seconds=25.0, force=True)
    world.execute(request_timeout_seconds=7.0, force=True)

    assert [20.0, 15.0, 7.0] == world.endpoint.timeouts


def test_a_single_use_provider_gets_all_the_time_there_is() -> None:
    """A late response is better than none where the request can't be repeated, unless a limit is configured."""
    world = World(policy=SINGLE_USE)

    world.execute(time_left_seconds=90.0)
    world.execute(request_timeout_seconds=7.0, force=True)

    assert [80.0, 7.0] == world.endpoint.timeouts


def test_a_run_with_too_little_time_claims_nothing() -> None:
    """A run that could not redeem and store safely leaves the secret as it is."""
    world = World()
    before = world.model.snapshot()

    with pytest.raises(DeadlineExceeded, match=r"^14 s are left to refresh secret tokens in eu-central-1, and 15 s"):
        world.execute(time_left_seconds=14.0)
    assert before == world.model.snapshot()


def test_a_run_that_was_suspended_after_the_claim_sends_nothing() -> None:
    """The clock is read before each request; a claim under which nothing was sent is recorded as such."""
    world = World(policy=SINGLE_USE)

    with (
        world.at("put REFRESH_CLAIM", lambda: world.pass_time(HOUR), after=True),
        pytest.raises(DeadlineExceeded),
    ):
        world.execute()
    assert [] == world.endpoint.requests
    assert "refreshed" == world.outcome()


def test_a_run_that_was_suspended_between_two_requests_sends_no_second_one() -> None:
    """A repeat past the time limit is not sent, and the run says why the first request failed."""
    world = World()

    def suspended() -> Response:
        world.pass_time(HOUR)
        return FailedRequest(kind=Kind.BUSY, seen="HTTP 429")

    world.endpoint.responses = [suspended]

    with pytest.raises(TokenEndpointUnavailable, match="HTTP 429, after 1 request"):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_was_suspended_while_it_waited_sends_nothing_either() -> None:
    """The machine may be suspended in the pause before a repeat, too."""
    world = World()
    world.endpoint.responses = [FailedRequest(kind=Kind.BUSY, seen="HTTP 429")]
    world.clock.oversleep = lambda: world.pass_time(HOUR)

    with pytest.raises(TokenEndpointUnavailable, match="HTTP 429, after 1 request"):
        world.execute()
    assert 1 == len(world.endpoint.requests)
