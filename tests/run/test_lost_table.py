"""A lost claim table: what it may have held is waited for, looked up by its ID, and held where nothing is found."""

import pytest

from run.world import World, killed, refuse
from testbed.builders import HOUR, MINUTE, SINGLE_USE, SINGLE_USE_IN_TABLE, policy
from token_refresh.errors import RefreshOutcomeUnknown, SecretAccessDenied, TokensKept
from token_refresh_worker.core.plan import LOST_CLAIMS
from token_refresh_worker.stored.origin import ClaimStoreKind, in_table

CLAIMS, RESTORED = in_table("claims"), in_table("restored")


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


def back_up(world: World) -> None:
    """Copy the table as it is: what is restored from it lacks what comes later."""
    world.tables["restored"] = backup = world.new_table()
    backup.item = dict(world.claim_table.item)


def test_a_backup_that_is_newer_than_the_document() -> None:
    """What the lost table may have held after the backup's newest claim is counted too."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()
    world.pass_time(17 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    back_up(world)
    world.claim_table.item.clear()

    world.rename(RESTORED)

    assert 2 + LOST_CLAIMS + 1 == world.current()["tokenRefresh"]["number"]
    assert world.tables["restored"].item["claim_id"] == world.current()["tokenRefresh"]["claim"]


def test_a_lost_table_is_replaced_by_what_is_current_after_the_loss() -> None:
    """A run that read the current version before another's refresh knows nothing of the claim that the table lost."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()
    world.pass_time(20 * HOUR)

    def refreshed_and_lost() -> None:
        world.store.before = world.claim_table.before = lambda _: None
        assert "refreshed" == world.outcome(force=True)
        world.claim_table.item.clear()

    with world.at("read claim", refreshed_and_lost):
        assert "fresh" == world.outcome()
    assert {} == world.claim_table.item


def test_a_backup_with_kept_tokens() -> None:
    """Tokens that a restored table keeps are stored: no claim follows one that keeps tokens."""
    world = World(policy=SINGLE_USE_IN_TABLE, keeps=True)
    world.execute()
    world.pass_time(17 * HOUR)
    world.store.before = refuse("put REFRESH_OUTCOME", SecretAccessDenied("denied"))
    with pytest.raises(TokensKept):
        world.execute()
    world.store.before = lambda _: None
    back_up(world)
    world.claim_table.item.clear()

    world.rename(RESTORED)

    assert "recovered" == world.outcome()
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


def test_tokens_that_a_backup_does_not_know() -> None:
    """Tokens that were stored under a claim of the lost table come on top of a document that names the other table."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()
    back_up(world)
    world.pass_time(17 * HOUR)
    killed(world, "move AWSCURRENT")
    world.claim_table.item.clear()

    world.rename(RESTORED)

    assert "recovered" == world.outcome()
    assert "access-2" == world.current()["accessToken"]
    assert "restored" == world.current()["tokenRefresh"]["table"]


def test_the_grace_of_a_lost_attempt_begins_with_its_token() -> None:
    """Copies of the token set are stored later, such as the one that names another table: they prolong no grace."""
    world = World(policy=policy(grace=HOUR, claim_store=ClaimStoreKind.TABLE))
    world.execute()
    world.pass_time(17 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    sent = len(world.endpoint.requests)
    world.pass_time(2 * HOUR)
    world.claim_table.item.clear()

    world.rename(RESTORED)
    world.execute()
    world.pass_time(15 * MINUTE)

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert sent == len(world.endpoint.requests)


def test_a_backup_from_right_after_a_move() -> None:
    """Its newest claim says that the claims went to the table that is lost by now."""
    world = World(policy=SINGLE_USE)
    world.execute()
    world.move(CLAIMS)
    back_up(world)
    world.claim_table.item.clear()
    world.rename(RESTORED)
    world.pass_time(20 * HOUR)

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    world.pass_time(3 * HOUR)
    assert "refreshed" == world.outcome()
