"""Calls per run: what a run costs at Secrets Manager and at the claim table."""

from run.world import World, killed
from testbed.builders import DAY, HOUR, IN_TABLE, NOW

REFRESH = ["read AWSCURRENT", "read REFRESH_CLAIM", "put REFRESH_CLAIM", "put REFRESH_OUTCOME", "move AWSCURRENT"]


def calls(world: World, **how: bool) -> tuple[list[str], list[str]]:
    """Run, and give the calls at the secret and at the table."""
    world.store.calls.clear()
    if world.table:
        world.table.calls.clear()
    world.execute(**how)
    return world.store.calls, world.table.calls if world.table else []


def test_calls_with_claims_in_versions() -> None:
    """A refresh reads twice and writes three times, the first one too; a run that finds the token fresh reads twice."""
    world = World()

    assert (REFRESH, []) == calls(world)
    assert (["read AWSCURRENT", "read REFRESH_CLAIM"], []) == calls(world)
    assert (REFRESH, []) == calls(world, force=True)


def test_calls_with_claims_in_a_table() -> None:
    """A refresh makes one read and two writes at Secrets Manager, one read and one write at the table."""
    world = World(policy=IN_TABLE)
    # A document that names no store yet costs one read more: claims may be in the secret.
    assert ["read AWSCURRENT", "read REFRESH_CLAIM", "put REFRESH_OUTCOME", "move AWSCURRENT"] == calls(world)[0]
    world.pass_time(20 * HOUR)

    refresh = ["read AWSCURRENT", "put REFRESH_OUTCOME", "move AWSCURRENT"]
    assert (refresh, ["read claim", "append claim"]) == calls(world)
    assert (["read AWSCURRENT"], ["read claim"]) == calls(world)


def test_a_fresh_token_set_that_somebody_stored_costs_four_reads() -> None:
    """After another claim, a run also reads what is stored under it: this could be the tokens that follow."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    world.save(refreshToken="other", expires_at=NOW + DAY)

    assert (["read AWSCURRENT", "read REFRESH_CLAIM", "read version", "read version"], []) == calls(world)
