"""While an operator has paused a secret, runs read and report, and send nothing."""

from datetime import timedelta

import pytest

from run.world import World
from testbed.builders import DAY, HOUR, IN_TABLE, NOW, policy
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.changes.revoke import revoke_grant
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.pauses import pause_claim
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.run.outcome import last_line

STORES = pytest.mark.parametrize("settings", [policy(), IN_TABLE], ids=["in versions", "in a table"])


def pause(world: World, lasts: timedelta = 2 * HOUR) -> bool:
    claims = world.table or VersionClaims(world.store)
    found = read(world)
    made = ClaimPause(until=found.now + lasts, why="maintenance")
    claim = pause_claim(found, world.policy.claim_store, made, nonce="pause")
    return claims.append(claim, after=found.newest_claim_id)


def read(world: World) -> Snapshot:
    return world.run().reader.read()


@STORES
@pytest.mark.parametrize("force", [False, True])
def test_a_paused_run_sends_nothing(settings: Policy, *, force: bool) -> None:
    """Scheduled or on demand, forced or not, runs yield until the pause ends by itself; then the next one refreshes."""
    world = World(policy=settings)
    assert pause(world)

    ended = world.execute(force=force)

    assert ("yielded", NOW + 2 * HOUR, "maintenance") == (ended.name, ended.retry_at, ended.paused)
    assert [] == world.endpoint.requests
    world.pass_time(2 * HOUR)
    assert "refreshed" == world.outcome(force=force)


@STORES
def test_a_paused_run_makes_no_call_more(settings: Policy) -> None:
    """A run in a pause makes the two calls of a run that finds nothing due."""
    world = World(policy=settings, expires_at=NOW + DAY)
    world.execute()
    assert pause(world)
    before = len(world.store.calls) + (len(world.table.calls) if world.table else 0)

    assert "yielded" == world.outcome()

    assert 2 == len(world.store.calls) + (len(world.table.calls) if world.table else 0) - before


@STORES
def test_a_failed_revocation_ends_no_pause(settings: Policy) -> None:
    """`revoke` claims as a run does; where the provider does not revoke, the pause holds on."""
    world = World(policy=settings)
    pause(world)
    busy = FailedRequest(kind=FailureKind.BUSY, seen="HTTP 503")

    with pytest.raises(ChangeFailed, match="is not revoked"):
        revoke_grant(world.run(), lambda _: busy)

    assert "maintenance" == world.execute(force=True).paused
    assert [] == world.endpoint.requests
    world.pass_time(2 * HOUR)
    assert "refreshed" == world.outcome()


def test_a_pause_is_in_log_and_metric() -> None:
    """The log says why and until when, the last line is a metric, and the time to expiry is in it as ever."""
    world = World(expires_at=NOW + HOUR)
    pause(world)
    run = world.run()

    line = last_line(run.execute(), trigger="schedule", secret_id="s", duration_ms=1)

    said = world.log.fields[world.log.events.index("refresh_yielded")]
    assert ("an operator paused the refreshes", "maintenance") == (said["reason"], said["why"])
    assert (1, "maintenance", "yielded", 3600) == (
        line["Paused"],
        line["paused"],
        line["outcome"],
        line["SecondsToExpiry"],
    )
