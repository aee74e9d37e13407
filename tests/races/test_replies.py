from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from races.kills import REFRESH, When, boundaries
from races.world import GRACE, SINGLE_USE, TOKEN_REQUEST, World
from testbed.aws.faults import Action
from testbed.provider import script


def refresh_with(action: Action, nth: int, times: int) -> tuple[str, int, bool, list[str]]:
    with World(SINGLE_USE) as world:
        world.store.fault(action, nth=nth, times=times)
        name = world.run().name
        world.store.faults.clear()
        return name, world.endpoint.grant.redemptions, world.alive, [run.name for run in world.rest()]


@pytest.mark.parametrize(("action", "times"), [("drop_after", 1), ("throttle", 2), ("unavailable", 2)])
def test_store_fails_for_a_while(action: Action, times: int) -> None:
    """Whichever call to Secrets Manager is lost or refused for a while, the run refreshes with one request."""
    calls = {b.nth_of_store for b in boundaries(REFRESH, SINGLE_USE) if b.call != TOKEN_REQUEST}

    with ThreadPoolExecutor(2) as pool:
        ended = dict(zip(calls, pool.map(lambda nth: refresh_with(action, nth, times), calls), strict=True))

    assert dict.fromkeys(calls, ("refreshed", 1, True, ["fresh"])) == ended


def test_token_reply_lost_in_grace() -> None:
    """A lost answer to the token request is asked for again where the provider documents a grace period."""
    with World(GRACE) as world:
        world.endpoint.play(script.close(commit=True))

        assert "refreshed" == world.run().name
        assert (2, True) == (world.requests_sent, world.alive)


def test_token_reply_lost_with_single_use() -> None:
    """Where a refresh token may be used once, nothing is sent again: the run says that the outcome is unknown."""
    with World(SINGLE_USE) as world:
        world.endpoint.play(script.close(commit=True))

        names = [world.run().name]
        world.pass_claim()
        names += [world.run().name for _ in range(2)]

        assert ["RefreshOutcomeUnknown"] * 3 == names
        assert 1 == world.requests_sent
        assert world.access_token_valid


def test_token_request_never_arrived() -> None:
    """A request that was lost before it was redeemed is repeated after the hold, and nothing is lost."""
    with World(SINGLE_USE) as world:
        world.endpoint.play(script.close())
        assert "RefreshOutcomeUnknown" == world.run().name
        world.pass_hold()

        assert ["refreshed", "fresh"] == [run.name for run in world.rest()][-2:]
        assert world.alive


def test_late_claims_yield() -> None:
    """A claim that arrives after another run's is refused, and its run yields."""
    late = next(
        b for b in boundaries(REFRESH, SINGLE_USE) if b.call == "PutSecretValue REFRESH_CLAIM" and b.when is When.LATE
    )
    with World(SINGLE_USE) as world:
        claim = world.store.fault("hold_before", nth=late.nth_of_store)
        with world.begin() as slow:
            claim.wait()
            assert "refreshed" == world.run().name
            claim.release()

            assert "fresh" == slow.wait().name
        assert (1, True) == (world.requests_sent, world.alive)
