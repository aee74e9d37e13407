"""Days of runs on a clock that is moved, with a single-use provider and the quota of Secrets Manager."""

from dataclasses import replace
from datetime import datetime

import pytest

from run.grant import TABLE, VERSIONS, outcomes, refused_versions, single_use
from testbed.builders import DAY, FORCED, HOUR, IN_TABLE, MINUTE, NOW, RUN, attempt, claim, ms, policy, snapshot
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import FORCED_CLAIMS_A_DAY, Policy
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


def test_tokens_that_are_too_short_lived_for_versions_yield_at_the_limit() -> None:
    """The run yields and names the way out, no redeemed token is refused, and the grant lives."""
    world, grant = single_use(VERSIONS, 30 * MINUTE)
    refused = refused_versions(world)

    found = outcomes(world, 1, 10 * MINUTE)

    assert {"fresh", "refreshed", "yielded"} == set(found)
    assert 40 == grant.refreshes
    assert [] == refused
    assert grant.alive
    logged = world.log.fields[world.log.events.index("token_lifetime_too_short")]
    assert "`token-refresh claims move tokens --region eu-central-1 --to table --table NAME`" in str(logged["remedy"])


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_a_flood_of_forced_events_leaves_the_grant_alive(store: ClaimStoreKind) -> None:
    """Forced each ten minutes, 12 claims redeem in a day, the others learn when to come back, and no token expires."""
    world, grant = single_use(store, 2 * HOUR)
    refused = refused_versions(world)
    forced: list[datetime] = []
    for minute in range(0, 26 * 60, 10):
        ended, now = world.execute(force=True, name="on_demand"), world.clock.service_now
        newest = world.run().reader.read().newest
        # A forced run that meets due tokens refreshes as a scheduled one does, and counts as one.
        forced += [now] if ended.name == "refreshed" and newest and newest.forced else []
        assert ended.name == "refreshed" or (ended.retry_at and now < ended.retry_at <= now + DAY)
        if minute % 30 == 0:
            assert world.outcome(name="schedule") in {"fresh", "refreshed"}
        assert ms(now) < world.current()["expiresAt"]
        world.pass_time(10 * MINUTE)

    assert FORCED_CLAIMS_A_DAY == max(sum(start <= at < start + DAY for at in forced) for start in forced)
    assert ([], True) == (refused, grant.alive)
