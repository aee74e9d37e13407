"""A lost claim table: what it may have held is waited for, looked up by its ID, and held where nothing is found."""

import pytest

from builders import DAY, HOUR, IN_TABLE, SINGLE_USE_IN_TABLE
from run.world import World, killed
from token_refresh.errors import RefreshOutcomeUnknown


def test_a_lost_table_is_waited_out_and_then_used_again() -> None:
    """Runs under way may hold a lost claim: nothing is sent before that would have ended, and then refreshes go on."""
    world = World(policy=IN_TABLE)
    world.execute()
    world.claim_table.item.clear()
    world.pass_time(DAY)

    assert "yielded" == world.outcome()
    assert "claim_table_lost" in world.log.events
    world.pass_claim()
    assert "refreshed" == world.outcome()
    assert 2 == len(world.endpoint.requests)


@pytest.mark.parametrize("died", [False, True])
def test_a_lost_table_frees_no_token_that_a_lost_claim_may_have_redeemed(*, died: bool) -> None:
    """A run that holds a lost claim may be redeeming: its token is held until the last quarter."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()
    world.pass_time(20 * HOUR)
    if died:
        killed(world, "put REFRESH_OUTCOME")
    sent = len(world.endpoint.requests)
    world.claim_table.item.clear()

    assert "yielded" == world.outcome()
    world.pass_claim()
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert sent == len(world.endpoint.requests)
    world.pass_time(2 * HOUR)
    assert "refreshed" == world.outcome()


@pytest.mark.parametrize("force", [False, True])
def test_a_lost_table_loses_no_stored_tokens(*, force: bool) -> None:
    """The claims that the lost table may have held are known by their IDs, and so are the tokens under them."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()
    world.pass_time(DAY * 3 / 4)
    killed(world, "move AWSCURRENT")
    world.claim_table.item.clear()

    assert "recovered" == world.outcome(force=force, time_left_seconds=30.0)
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


def test_a_lost_table_is_replaced_by_what_is_current_after_the_loss() -> None:
    """A run that read the current version before two refreshes knows nothing of the claim that the table lost."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()

    def refreshed_then_killed_then_lost() -> None:
        world.store.before = world.claim_table.before = lambda _: None
        assert "refreshed" == world.outcome(force=True)
        killed(world, "put REFRESH_OUTCOME", force=True)
        world.claim_table.item.clear()

    world.pass_time(20 * HOUR)
    with world.at("read claim", refreshed_then_killed_then_lost):
        assert "fresh" == world.outcome()
    assert {} == world.claim_table.item
    world.pass_time(20 * HOUR)
    assert "yielded" == world.outcome()
    world.pass_claim()
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 3 == len(world.endpoint.requests)
