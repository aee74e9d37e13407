"""A dry run says what a run would do, and writes, sends and waits for nothing."""

from datetime import timedelta

import pytest

from run.world import World, killed
from testbed.builders import DAY, HOUR, NOW
from token_refresh_worker.run.outcome import Outcome


def dry(world: World, *, force: bool = False) -> Outcome:
    """Run, and see that nothing happens."""
    stored, sent = world.model.snapshot(), len(world.endpoint.requests)
    ended = world.execute(dry_run=True, force=force)
    assert (stored, sent, []) == (world.model.snapshot(), len(world.endpoint.requests), world.clock.slept)
    return ended


@pytest.mark.parametrize(("left", "force"), [(HOUR, False), (DAY, True)])
def test_a_dry_run_says_that_it_would_refresh(left: timedelta, *, force: bool) -> None:
    """A token set is due, or the refresh is forced."""
    world = World(expires_at=NOW + left)

    ended = dry(world, force=force)

    assert ("would_refresh", world.labels()["AWSCURRENT"]) == (ended.name, ended.tokens.version_id)


@pytest.mark.parametrize("published", [False, True])
def test_a_dry_run_of_a_fresh_secret_is_fresh(*, published: bool) -> None:
    """Nothing is due and nothing forced; a copy that is missing is left to a real run."""
    world = World(expires_at=NOW + DAY, published=published)

    assert "fresh" == dry(world).name


@pytest.mark.parametrize("edited", [False, True])
def test_a_dry_run_says_that_it_would_recover(*, edited: bool) -> None:
    """Tokens of an interrupted run are there, also for an edited copy."""
    world = World()
    killed(world, "move AWSCURRENT")
    if edited:
        world.save(note="edited")

    assert "would_recover" == dry(world).name


def test_a_dry_run_does_not_wait_for_another_s_claim() -> None:
    """A forced dry run that meets an open claim says so at once."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")

    assert "yielded" == dry(world, force=True).name
