"""Days of runs on schedule: what a secret with a version quota bears, at a provider that accepts no token twice."""

from datetime import timedelta

import pytest

from builders import DAY, MINUTE, NOW, SINGLE_USE, policy
from fakes import tokens
from token_refresh.core.schedule import CLAIMS_A_DAY, FORCED_CLAIMS_A_DAY, Policy
from token_refresh.oauth.response import Answer, Failure, Kind
from token_refresh.stored.origin import ClaimStoreKind
from world import World

REJECTED = Failure(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
TABLE_SINGLE_USE = policy(grace=timedelta(0), store=ClaimStoreKind.TABLE)


class Rotating:
    """A single-use provider: it answers to its newest refresh token, and revokes the grant at any other."""

    def __init__(self, world: World, lifetime: timedelta) -> None:
        self.world = world
        self.lifetime = lifetime
        self.number = 0
        self.revoked = False

    def __call__(self) -> Answer:
        sent = self.world.endpoint.requests[-1].fields["refresh_token"]
        self.revoked |= sent != f"refresh-{self.number}"
        if self.revoked:
            return REJECTED
        self.number += 1
        return tokens(self.number, lifetime=self.lifetime)


def days_of(days: int, lifetime: timedelta, policy: Policy, *, every: timedelta = 5 * MINUTE) -> tuple[World, Rotating]:
    """Run on schedule for some days; each response has its lifetime from when the request was sent."""
    world = World(policy=policy, expires_at=NOW + MINUTE)
    provider = Rotating(world, lifetime)
    end = NOW + timedelta(days=days)
    while world.clock.service_now < end:
        world.endpoint.answers = [provider]
        outcome = world.outcome()
        assert outcome in {"fresh", "refreshed", "yielded"}
        world.pass_time(every)
    return world, provider


@pytest.mark.parametrize(
    ("minutes", "policy"), [(60, SINGLE_USE), (30, TABLE_SINGLE_USE)], ids=["60, versions", "30, table"]
)
def test_thirty_days_of_single_use_tokens(minutes: int, policy: Policy) -> None:
    """Every refresh succeeds on a secret that holds 100 versions: none is refused, none is late."""
    world, provider = days_of(30, minutes * MINUTE, policy, every=10 * MINUTE)

    expected = 30 * DAY / (minutes * MINUTE * 2 / 3)
    assert expected * 0.95 < provider.number <= expected + 2
    assert "refresh_yielded" not in world.log.events
    assert not provider.revoked


@pytest.mark.parametrize(
    ("minutes", "policy"), [(54, SINGLE_USE), (27, TABLE_SINGLE_USE)], ids=["54, versions", "27, table"]
)
def test_the_shortest_lifetimes_are_served(minutes: int, policy: Policy) -> None:
    """40 claims a day serve tokens of 54 minutes, 80 in a table those of 27."""
    world, provider = days_of(3, minutes * MINUTE, policy, every=MINUTE)

    assert provider.number >= 3 * DAY / (minutes * MINUTE * 2 / 3) - 3 * 3
    assert "token_lifetime_too_short" not in world.log.events


def test_shorter_lifetimes_yield_and_keep_the_grant() -> None:
    """30-minute tokens with claims in the secret reach the limit: runs say so by name, and the grant lives."""
    world, provider = days_of(2, 30 * MINUTE, SINGLE_USE)

    assert provider.number <= 2 * CLAIMS_A_DAY[ClaimStoreKind.VERSIONS] + 1
    assert not provider.revoked
    said = world.log.fields[world.log.events.index("token_lifetime_too_short")]
    assert "`token-refresh claims move tokens --region eu-central-1 --to table`" in str(said["remedy"])


def test_a_flood_of_forced_runs_leaves_the_grant_alive() -> None:
    """Whoever may invoke the function forces 12 refreshes a day, and the scheduled ones go on."""
    world = World(policy=SINGLE_USE, expires_at=NOW + MINUTE)
    provider = Rotating(world, DAY)
    outcomes = []
    for _ in range(2 * 24 * 4):
        world.endpoint.answers = [provider]
        outcomes.append(world.outcome(force=True, forced_claims_a_day=FORCED_CLAIMS_A_DAY))
        world.pass_time(15 * MINUTE)

    assert {"refreshed", "yielded"} == set(outcomes)
    due_anyway = 3
    assert 2 * FORCED_CLAIMS_A_DAY <= outcomes.count("refreshed") <= 2 * FORCED_CLAIMS_A_DAY + due_anyway
    assert not provider.revoked


def test_a_forced_run_of_the_operator_has_the_whole_limit() -> None:
    """A person at the command line may use what callers of the function may not."""
    world = World(policy=SINGLE_USE)
    for _ in range(FORCED_CLAIMS_A_DAY + 1):
        assert "refreshed" == world.outcome(force=True)
    settled = world.execute(force=True, forced_claims_a_day=FORCED_CLAIMS_A_DAY)

    assert ("yielded", NOW + DAY) == (settled.name, settled.retry_at)
