"""Rule 4: the current token was used, and the tokens that it brought are gone."""

import pytest

from run.grant import with_grant
from run.world import World, refuse, stale_reads
from testbed.builders import MINUTE, NOW, SINGLE_USE, SINGLE_USE_IN_TABLE
from token_refresh.errors import ReauthorizationRequired, SecretStoreUnavailable
from token_refresh_worker.core.versions import CURRENT, claim_version_id, staged_version_id


def test_a_used_token_whose_successor_is_gone_is_not_sent() -> None:
    """The error names the secret and the command: sent again, the token could revoke the grant."""
    world = World(policy=SINGLE_USE)
    versions = [world.labels()[CURRENT]]
    for _ in range(2):
        world.execute(force=True)
        versions.append(world.labels()[CURRENT])
    world.store.move_label(CURRENT, to=versions[0], remove_from=versions[2])
    for version_id in versions[1:]:
        world.model.drop("tokens", version_id)
    world.pass_claim()

    with pytest.raises(ReauthorizationRequired, match=r"`token-refresh authorize tokens --region eu-central-1`"):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def short_lived() -> World:
    """A token of half an hour, with claims in a table, when the last quarter of its window has begun."""
    return World(policy=SINGLE_USE_IN_TABLE, issued_at=NOW - 28 * MINUTE, expires_at=NOW + 2 * MINUTE)


def test_a_table_shows_that_tokens_are_stored_where_old_reads_do_not() -> None:
    """A claim on a short-lived token ends before every read shows what was stored: the item says it."""
    world = short_lived()
    grant = with_grant(world, 30 * MINUTE)
    first = world.labels()[CURRENT]
    stale_reads(world, *world.labels(), staged_version_id(claim_version_id(first), first))
    world.execute()
    assert ["read claim", "append claim", "record"] == world.claim_table.calls

    world.pass_time(8 * MINUTE)
    assert "yielded" == world.outcome()
    world.pass_time(3 * MINUTE)
    with pytest.raises(ReauthorizationRequired):
        world.execute()
    assert (1, True) == (grant.refreshes, grant.alive)


def test_a_mark_that_can_not_be_stored_costs_nothing() -> None:
    """The tokens are stored, and the run makes them current."""
    world = short_lived()
    world.claim_table.before = refuse("record", SecretStoreUnavailable("why"))

    assert "refreshed" == world.outcome()
    assert "record_not_stored" in world.log.events
