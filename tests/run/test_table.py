"""Claims in a table: the calls that a run makes, and a table that is lost."""

from datetime import timedelta
from typing import Any

import pytest

from builders import HOUR, IN_TABLE, MINUTE, policy
from fakes import SECRET_ID, FakeTable
from token_refresh.errors import ConfigurationError, RefreshOutcomeUnknown
from token_refresh_worker.oauth.response import FailedRequest, Kind
from token_refresh_worker.stored.origin import ClaimStoreKind
from world import Killed, World, fail, killed

TABLE_SINGLE_USE = policy(grace=timedelta(0), claim_store=ClaimStoreKind.TABLE)


def _versions(world: World) -> Any:
    secret = world.model.find(SECRET_ID)
    assert secret is not None
    return secret.versions


def test_a_lost_table_is_waited_out() -> None:
    """A run that finds the table empty appends a claim that nobody holds, and redeems once that has ended."""
    world = World(policy=TABLE_SINGLE_USE)
    world.execute()
    assert world.table is not None
    world.table.item.clear()
    world.pass_time(20 * HOUR)

    assert "yielded" == world.outcome()
    assert "claim_table_lost" in world.log.events
    world.pass_time(2 * MINUTE)
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    world.pass_time(2 * HOUR)
    assert "refreshed" == world.outcome()


def test_a_lost_table_loses_no_stored_tokens() -> None:
    """What a run staged under a lost claim is found by its derived ID."""
    world = World(policy=TABLE_SINGLE_USE)
    world.execute()
    assert world.table is not None
    with world.at("move AWSCURRENT", fail(Killed())), pytest.raises(Killed):
        world.execute(force=True)
    world.table.item.clear()

    assert "recovered" == world.outcome(force=True, time_left_seconds=30.0)
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


def test_a_lost_table_is_replaced_by_what_is_current_after_the_loss() -> None:
    """A run that read the current version before two refreshes knows nothing of the claim that the table lost."""
    world = World(policy=TABLE_SINGLE_USE)
    world.execute()
    table = world.table
    assert table is not None

    def refreshed_then_killed_then_lost() -> None:
        world.store.before = table.before = lambda _: None
        assert "refreshed" == world.outcome(force=True)
        killed(world, "put REFRESH_OUTCOME", force=True)
        table.item.clear()

    world.pass_time(20 * HOUR)
    with world.at("read claim", refreshed_then_killed_then_lost):
        assert "fresh" == world.outcome()
    assert {} == table.item
    world.pass_time(20 * HOUR)
    assert "yielded" == world.outcome()
    world.pass_time(2 * MINUTE)
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 3 == len(world.endpoint.requests)


def test_calls_with_claims_in_a_table() -> None:
    """A refresh makes one read and two writes at Secrets Manager, one read and one write at the table."""
    world = World(policy=IN_TABLE)
    assert "refreshed" == world.outcome()
    assert world.table is not None
    # A document that names no store yet costs one read more: claims may be in the secret.
    assert ["read AWSCURRENT", "read REFRESH_CLAIM", "put REFRESH_OUTCOME", "move AWSCURRENT"] == world.store.calls
    world.store.calls.clear()
    world.table.calls.clear()
    versions = len(_versions(world))
    world.pass_time(20 * HOUR)

    assert "refreshed" == world.outcome()

    assert ["read AWSCURRENT", "put REFRESH_OUTCOME", "move AWSCURRENT"] == world.store.calls
    assert ["read claim", "append claim"] == world.table.calls
    assert versions + 1 == len(_versions(world))


def test_another_run_s_claim_in_the_table_is_found() -> None:
    """A run whose append is refused reads the newest claim and yields."""
    world = World(policy=IN_TABLE)

    def another() -> None:
        world.store.before = lambda _: None
        assert world.table is not None
        world.table.before = lambda _: None
        killed(world, "put REFRESH_OUTCOME")

    with world.at("append claim", another):
        assert "yielded" == world.outcome()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("under_way", [False, True])
def test_a_table_beside_claims_in_the_secret(*, under_way: bool) -> None:
    """A document that no run has written names no store: a run with a table sends nothing while the secret has claims.

    The attempt there may have redeemed the token, or may be under way.
    """
    world = World(policy=policy(grace=timedelta(0)))
    lost = FailedRequest(kind=Kind.NO_RESPONSE, seen="ReadTimeout")

    def move_to_table() -> None:
        world.policy, world.table = TABLE_SINGLE_USE, FakeTable(clock=world.clock)

    def respond() -> FailedRequest:
        if under_way:
            move_to_table()
            with pytest.raises(ConfigurationError):
                world.execute(force=True)
        return lost

    world.endpoint.responses = [respond]
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    move_to_table()

    with pytest.raises(ConfigurationError, match="claims move"):
        world.execute()
    assert 1 == len(world.endpoint.requests)
