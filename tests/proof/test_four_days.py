"""Days of short-lived tokens at the daily limit of either claim store, also while claims move."""

from bisect import bisect
from collections.abc import Callable
from datetime import timedelta

import pytest

from run.grant import TABLE, VERSIONS, outcomes, refused_versions, single_use, stored_versions
from run.world import World
from testbed.builders import DAY, MINUTE
from token_refresh.errors import SecretFull
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, refresh_window
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, in_table


@pytest.mark.parametrize(("store", "every"), [(VERSIONS, 12 * MINUTE), (TABLE, 6 * MINUTE)])
def test_tokens_that_fit_the_claim_store_are_refreshed_for_ever(store: ClaimStoreKind, every: timedelta) -> None:
    """Every refresh of the shortest-lived ones succeeds, Secrets Manager refuses no version, and the grant lives."""
    lifetime, days = shortest_lifetime(store), 2
    world, grant = single_use(store, lifetime)
    refused = refused_versions(world)

    found = outcomes(world, days, every)

    assert {"fresh", "refreshed"} == set(found)
    due_after = lifetime - refresh_window(DEFAULT_WINDOW, lifetime)
    assert days * int(DAY / due_after) == grant.refreshes == found.count("refreshed")
    assert [] == refused
    assert grant.alive


def at_the_limit(world: World, _run: int, outcome: str) -> None:
    """Somebody moves the claims to a table as soon as a run yields."""
    if outcome == "yielded":
        world.move(in_table("claims"))


def there_and_back(world: World, run: int, outcome: str) -> None:
    """Somebody moves them at the limit, and back again in each night."""
    if outcome == "yielded":
        world.move(in_table("claims"))
    if run % (24 * 6) == 0:
        world.move(IN_VERSIONS)


def outcome_of(world: World) -> str:
    """Run once. Claims of the same minutes of two days can leave no room until each clock says that a day is over."""
    try:
        return world.outcome()
    except SecretFull:
        return "full"


@pytest.mark.parametrize(("scenario", "refreshes"), [(at_the_limit, 250), (there_and_back, 190)])
def test_whoever_follows_the_advice(scenario: Callable[[World, int, str], None], refreshes: int) -> None:
    """With 30-minute tokens, over four days, no version is refused and none of the grants dies, whoever moves when."""
    world, grant = single_use(VERSIONS, 30 * MINUTE)
    refused, stored = refused_versions(world), stored_versions(world)

    for run in range(1, 4 * 24 * 6):
        scenario(world, run, outcome_of(world))
        world.pass_time(10 * MINUTE)

    within_a_day = [bisect(stored, at + DAY.total_seconds() - 1) - number for number, at in enumerate(stored)]
    assert [] == refused
    assert 84 >= max(within_a_day)
    assert grant.alive
    assert refreshes <= grant.refreshes
