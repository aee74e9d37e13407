from functools import partial

import pytest

from benchmarks.fleets.faults import FAULTS
from benchmarks.fleets.goals import STORIES, Result
from benchmarks.fleets.members import MEMBERS
from benchmarks.fleets.tenants import TENANTS
from benchmarks.fleets.world import WINDOW, World
from testbed.builders import MINUTE
from testbed.virtual_clock import VirtualClock

SMALL = 60


@pytest.mark.parametrize(
    "story", ["herd", "copies", "steady", "lost-index", "half-quota", "limited", "throttled", "deployment"]
)
def test_goals_of_a_small_fleet(story: str) -> None:
    """With few secrets, and the quotas as they are, every goal is reached."""
    results = list(STORIES[story](SMALL, 1))

    assert [] == [result for result in results if not result.reached]
    assert results


@pytest.mark.parametrize(
    ("story", "secrets", "seed"),
    [
        ("writes-refused", 60, 1),
        ("hosts", 30, 11),
        ("store-away", 30, 1),
        ("slow-herd", 60, 1),
        ("tight-rate", 30, 1),
        ("busy", 30, 1),
        ("unknown", 50, 1),
        ("hanging-herd", 400, 1),
        ("poison", 60, 1),
    ],
)
def test_half_of_a_small_world_fails(story: str, secrets: int, seed: int) -> None:
    """With a few secrets and one seed, a fleet comes through each story in which half of the world fails.

    Each night `scripts/bench fleet` plays them with many secrets and seeds.
    """
    assert [] == [result for result in FAULTS[story](secrets, seed) if not result.reached]


@pytest.mark.parametrize(
    ("story", "secrets", "seed"),
    [
        ("onboarding", 30, 0),
        ("bad-members", 40, 8),
        ("store-beside", 60, 2),
        ("unkept", 60, 2),
        ("lagging-index", 60, 3),
        ("failing-table", 60, 4),
        ("failing-minutes", 60, 1),
        ("growth", 60, 1),
        ("repair", 30, 2),
        ("gateway", 100, 2),
        ("small-account", 60, 1),
        ("late-scheduler", 60, 1),
        ("redeemed-and-lost", 60, 1),
    ],
)
def test_bad_members_of_a_small_world(story: str, secrets: int, seed: int) -> None:
    """With a few secrets and one seed, what some members or AWS do harms no other member."""
    assert [] == [result for result in MEMBERS[story](secrets, seed) if not result.reached]


@pytest.mark.parametrize(
    ("story", "secrets", "seed"),
    [
        ("revoked", 60, 1),
        ("rejecting", 60, 1),
        ("gap", 60, 1),
        ("busy-herd", 60, 2),
        ("bucket", 60, 1),
        ("own-traffic", 60, 2),
    ],
)
def test_one_trouble_of_a_small_world(story: str, secrets: int, seed: int) -> None:
    """With a few secrets and one seed, a tenant's dead grants and a busy provider are nobody else's trouble."""
    assert [] == [result for result in TENANTS[story](secrets, seed) if not result.reached]


def test_runs_refresh() -> None:
    """A herd is refreshed by the runs themselves: each secret once, without an error."""
    world = World({"alpha": 20}, due=lambda _n, _c: 0.0)
    world.run(5)

    assert (20, {}) == (world.tally.refreshed, world.tally.errors)


def test_a_hanging_provider_hurts_nobody_else() -> None:
    """While a provider with a third of the secrets hangs, the others are stored in time."""
    assert [] == [result for result in STORIES["hanging"](SMALL, 1) if not result.reached]


def test_a_hanging_provider_risks_few_grants() -> None:
    """Of many secrets that were handed out at once, few are sent to a provider that hangs before its breaker opens."""
    world = World({"hanging": 400}, due=lambda _n, _c: 0.0)
    world.break_down("hanging", -1, minutes=99)
    world.run(10)

    assert world.tally.errors["RefreshOutcomeUnknown"] <= 40


def test_the_benchmark_sees_a_fault() -> None:
    """Without a dispatcher tokens expire, and the benchmark counts them."""
    world = World({"alpha": 10}, due=lambda _n, _c: 0.0)
    world.deaf = (0.0, 1e9)
    world.run(WINDOW // MINUTE + 1)

    assert 10 == len(world.tally.expired)


def test_results() -> None:
    """A figure is judged against its limit from the right side."""
    most = Result(story="s", what="w", figure=2, limit=1)
    least = Result(story="s", what="w", figure=2, limit=1, at_least=True)

    assert [False, True] == [most.reached, least.reached]


def test_the_clock_is_deterministic() -> None:
    """Sleeping jobs wake in the order of their times, and an error in a job ends the run."""
    clock, order = VirtualClock(), []

    def job(name: int, seconds: float) -> None:
        clock.sleep(seconds)
        order.append((name, clock.seconds))

    for number, seconds in enumerate((3.0, 1.0, 2.0)):
        clock.start(partial(job, number, seconds))
    clock.run_until(10)
    assert [(1, 1.0), (2, 2.0), (0, 3.0)] == order

    def fails() -> None:
        raise ValueError

    clock.start(fails)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        clock.run_until(20)
    with pytest.raises(RuntimeError, match="only a job may sleep"):
        clock.sleep(1)


def test_the_same_seed_is_the_same_day() -> None:
    """Two runs with one seed come to the same figures."""

    def latencies() -> dict[str, list[float]]:
        world = World({"alpha": 30}, due=lambda n, _c: float(n), seed=7)
        world.run(5)
        return world.tally.late

    assert latencies() == latencies()
