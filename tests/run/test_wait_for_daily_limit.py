"""Rule 12: days of runs on a clock that is moved, with a single-use provider and the quota of Secrets Manager."""

from dataclasses import replace

import pytest

from run.grant import TABLE, VERSIONS, outcomes, refused_versions, single_use
from testbed.builders import DAY, FORCED, HOUR, IN_TABLE, MINUTE, NOW, RUN, attempt, claim, policy, snapshot
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.steps import Reason, Redeem, Wait
from token_refresh_worker.stored.origin import ClaimStoreKind


@pytest.mark.parametrize(("settings", "limit"), [(policy(), 40), (IN_TABLE, 80)])
def test_a_full_day_waits_forced_or_not(settings: Policy, limit: int) -> None:
    """40 claims a day fit into a secret's versions, and 80 into a table."""
    versions, at = 80 // limit, NOW - 23 * HOUR
    one = replace(attempt("c", Fate.NOT_REDEEMED, version_id="v9", claimed_at=at), versions=versions)
    last = replace(claim("last", fate=Fate.NOT_REDEEMED, version_id="v9"), versions=versions)
    full, room = replace(last, earlier=(one,) * (limit - 1)), replace(last, earlier=(one,) * (limit - 2))

    for run in (RUN, FORCED):
        assert Wait(NOW + HOUR, Reason.DAILY_LIMIT) == plan(snapshot(full), run, settings)
        assert isinstance(plan(snapshot(room), run, settings), Redeem)


# The whole run.


def test_tokens_that_are_too_short_lived_for_versions_yield_at_the_limit() -> None:
    """The run yields and names the way out, no redeemed token is refused, and the grant lives."""
    world, grant = single_use(VERSIONS, 30 * MINUTE)
    refused = refused_versions(world)

    found = outcomes(world, 2, 5 * MINUTE)

    assert {"fresh", "refreshed", "yielded"} == set(found)
    assert 2 * 40 == grant.refreshes
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
            world.execute(force=True, name="on_demand")
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
