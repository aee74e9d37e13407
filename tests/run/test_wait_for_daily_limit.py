"""Rule 10: days of runs on a clock that is moved, with a single-use provider and the quota of Secrets Manager."""

from bisect import bisect
from collections.abc import Callable
from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, policy
from run.grant import SingleUseGrant, refused_versions, stored_versions, with_grant
from run.world import World
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, refresh_window
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, in_table

VERSIONS, TABLE = ClaimStoreKind.VERSIONS, ClaimStoreKind.TABLE


def single_use(store: ClaimStoreKind, lifetime: timedelta) -> tuple[World, SingleUseGrant]:
    """A world whose tokens live that long, with a token set that is due."""
    world = World(
        policy=policy(grace=timedelta(0), claim_store=store), expires_at=NOW + lifetime / 4, issued_at=NOW - lifetime
    )
    return world, with_grant(world, lifetime)


def outcomes(world: World, days: int, every: timedelta) -> list[str]:
    """Run on schedule for some days."""
    found = []
    for _ in range(days * int(DAY / every)):
        found.append(world.outcome())
        world.pass_time(every)
    return found


@pytest.mark.parametrize(
    ("store", "lifetime", "every", "days"),
    [
        (VERSIONS, HOUR, 10 * MINUTE, 30),
        (TABLE, 30 * MINUTE, 10 * MINUTE, 30),
        (VERSIONS, shortest_lifetime(VERSIONS), 12 * MINUTE, 3),
        (TABLE, shortest_lifetime(TABLE), 6 * MINUTE, 3),
    ],
    ids=["60 min, versions", "30 min, table", "shortest, versions", "shortest, table"],
)
def test_tokens_that_fit_the_claim_store_are_refreshed_for_ever(
    store: ClaimStoreKind, lifetime: timedelta, every: timedelta, days: int
) -> None:
    """Every refresh that is due succeeds, Secrets Manager refuses no version, and the grant lives."""
    world, grant = single_use(store, lifetime)
    refused = refused_versions(world)

    found = outcomes(world, days, every)

    assert {"fresh", "refreshed"} == set(found)
    due_after = lifetime - refresh_window(DEFAULT_WINDOW, lifetime)
    assert days * int(DAY / due_after) == grant.refreshes == found.count("refreshed")
    assert [] == refused
    assert grant.alive


def test_tokens_that_are_too_short_lived_for_versions_yield_at_the_limit() -> None:
    """The run yields and names the way out, no redeemed token is refused, and the grant lives."""
    world, grant = single_use(VERSIONS, 30 * MINUTE)
    refused = refused_versions(world)

    found = outcomes(world, 3, 5 * MINUTE)

    assert {"fresh", "refreshed", "yielded"} == set(found)
    assert 3 * 40 == grant.refreshes
    assert [] == refused
    assert grant.alive
    logged = world.log.fields[world.log.events.index("token_lifetime_too_short")]
    assert "`token-refresh claims move tokens --region eu-central-1 --to table --table NAME`" in str(logged["remedy"])


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_fifty_forced_events_a_day_leave_the_grant_alive(store: ClaimStoreKind) -> None:
    """Whoever may call the function can force it as often as they like: scheduled runs still refresh in time."""
    world, grant = single_use(store, HOUR)
    refused = refused_versions(world)
    expired = 0
    for minute in range(0, 2 * 24 * 60, 5):
        if minute % 30 == 0:
            world.execute(force=True, forced_claims_a_day=12)
        ended = world.execute()
        expired += ended.tokens.expires_at is None or ended.tokens.expires_at <= world.clock.service_now
        world.pass_time(5 * MINUTE)

    assert [] == refused
    assert grant.alive
    assert 0 == expired


def test_a_daily_token_that_is_forced_every_25_minutes_is_never_lost() -> None:
    """The command line may use the whole daily limit; then a forced run yields, and the secret has room."""
    world, grant = single_use(VERSIONS, DAY)
    refused = refused_versions(world)

    found = []
    for _ in range(2 * 24 * 60 // 25):
        found.append(world.outcome(force=True))
        world.pass_time(25 * MINUTE)

    assert {"refreshed", "yielded"} == set(found)
    assert [] == refused
    assert grant.alive


def never(_world: World, _run: int, _outcome: str) -> None:
    """Nobody follows the advice."""


def at_the_limit(world: World, _run: int, outcome: str) -> None:
    """Somebody moves the claims to a table as soon as a run yields."""
    if outcome == "yielded":
        world.move(in_table("claims"))


def early(world: World, run: int, _outcome: str) -> None:
    """Somebody moves them in the second hour."""
    if run == 6:
        world.move(in_table("claims"))


def there_and_back(world: World, run: int, outcome: str) -> None:
    """Somebody moves them at the limit, and back again in each night."""
    if outcome == "yielded":
        world.move(in_table("claims"))
    if run % (24 * 6) == 0:
        world.move(IN_VERSIONS)


@pytest.mark.parametrize(
    ("story", "refreshes"), [(never, 30 * 40), (at_the_limit, 2000), (early, 30 * 72), (there_and_back, 1000)]
)
def test_whoever_follows_the_advice(story: Callable[[World, int, str], None], refreshes: int) -> None:
    """With 30-minute tokens, over 30 days, no version is refused and none of the grants dies, whoever moves when."""
    world, grant = single_use(VERSIONS, 30 * MINUTE)
    refused, stored = refused_versions(world), stored_versions(world)

    for run in range(1, 30 * 24 * 6):
        story(world, run, world.outcome())
        world.pass_time(10 * MINUTE)

    within_a_day = [bisect(stored, at + DAY.total_seconds() - 1) - number for number, at in enumerate(stored)]
    assert [] == refused
    assert 84 >= max(within_a_day)
    assert grant.alive
    assert refreshes <= grant.refreshes
