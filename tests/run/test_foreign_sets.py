"""A second refresher is noticed before it costs the grant: sets that neither a run nor a command of ours stored."""

from datetime import timedelta
from typing import Any

import pytest

from run.world import World
from testbed.builders import DAY, IN_TABLE
from testbed.fakes import tokens
from token_refresh.errors import TokenEndpointUnavailable
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, read_origin

NOT_SENT = FailedRequest(kind=FailureKind.NOT_SENT, seen="ConnectError")


def refresh(world: World, number: int) -> str | None:
    """Let a run refresh the tokens, a day later; gives the foreign version that it found."""
    world.pass_time(DAY)
    world.endpoint.responses = [tokens(number)]
    run = world.run()
    ended = run.execute()
    assert "refreshed" == ended.name
    return ended.foreign_version


def foreign(world: World, token: str, **document: Any) -> str:
    """Let something else store a token set: it keeps the other keys that it knows."""
    now = world.clock.service_now
    times = {"issued_at": now, "expires_at": now + timedelta(days=1)}
    return world.save(refreshToken=token, accessToken=f"of-{token}", **times, **document)


def snapshot(world: World) -> Snapshot:
    found: Snapshot = world.run().reader.read()
    return found


def count(world: World) -> int:
    found = snapshot(world).foreign
    return found.count if found else 0


def test_the_first_set_is_nobody_s() -> None:
    """The set that a deployment adopts is not counted, also while runs on it fail and are repeated."""
    world = World()
    assert not snapshot(world).is_foreign
    world.pass_time(DAY)
    world.endpoint.responses = [NOT_SENT] * 4
    with pytest.raises(TokenEndpointUnavailable):
        world.execute()

    assert not snapshot(world).is_foreign
    assert refresh(world, 1) is None
    assert refresh(world, 2) is None
    assert 0 == count(world)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_second_refresher(*, keeps: bool) -> None:
    """What something else stored is counted and named, whether it kept our key or not; a later run remembers it."""
    world = World()
    assert refresh(world, 1) is None
    kept = {"tokenRefresh": world.current()["tokenRefresh"]} if keeps else {}
    version = foreign(world, "theirs", **kept)

    found = snapshot(world).foreign
    assert found is not None
    assert (1, version) == (found.count, found.version_id)
    assert version == refresh(world, 2)
    assert (1, None) == (count(world), refresh(world, 3))
    again = foreign(world, "theirs-again", tokenRefresh=world.current()["tokenRefresh"])
    assert 2 == count(world)
    assert again == refresh(world, 4)
    assert 2 == count(world)


def test_a_mark_of_another_token_proves_nothing() -> None:
    """The mark of `authorize` counts for its own token: a refresher that keeps our key does not take it over."""
    world = World()
    refresh(world, 1)
    marked = snapshot(world).marked(world.policy)
    world.save(refreshToken="theirs", tokenRefresh=marked.as_fields())

    assert snapshot(world).is_foreign


def test_a_lost_table_makes_nothing_foreign() -> None:
    """Where a table lost its claims, nobody knows who stored the current tokens: they are not counted."""
    world = World(policy=IN_TABLE)
    refresh(world, 1)
    refresh(world, 2)
    world.claim_table.item.clear()

    assert not snapshot(world).is_foreign
    world.pass_time(DAY)
    assert "yielded" == world.outcome()
    assert not snapshot(world).is_foreign
    world.pass_claim()
    assert refresh(world, 3) is None
    assert 0 == count(world)


@pytest.mark.parametrize("damage", [5, {"count": "x"}, {"count": 1, "version": "v", "at": "never"}])
def test_a_damaged_memory_is_none(damage: object) -> None:
    """What is not a record of foreign sets counts as none, and the rest of the key is read."""
    fields = {"host": "h", "grace_seconds": 0, "store": ClaimStoreKind.VERSIONS.value, "foreign": damage, "token": 7}

    found = read_origin({"tokenRefresh": fields})

    assert found is not None
    assert (IN_VERSIONS, None, None) == (found.claim_store, found.foreign, found.token)
