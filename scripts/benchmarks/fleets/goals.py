"""The goals of a fleet, and the scenario that shows whether each is reached."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from benchmarks.fleets.providers import LIFETIME
from benchmarks.fleets.world import READ_ROW, WINDOW, World
from token_refresh_worker.fleet.core.breaker import STORE
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Fleet, Limits
from token_refresh_worker.fleet.core.gauges import measure

FIVE = ("alpha", "beta", "gamma", "delta", "epsilon")
PERIOD_SECONDS = (LIFETIME - WINDOW) // timedelta(seconds=1)
"""How long a new token is not due."""

LATE_SECONDS = 120.0
BUDGET_SHARE = 0.95
MEMORY_GROWTH = 1.1
QUOTA = 50.0
MOST_MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure against its limit."""

    scenario: str
    what: str
    figure: float
    limit: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


def shared(secrets: int, names: tuple[str, ...] = FIVE) -> dict[str, int]:
    """Share secrets among providers."""
    return dict.fromkeys(names, max(1, secrets // len(names)))


def spread(number: int, chance: object) -> float:
    """Spread what is due evenly over a period."""
    del chance
    return (number * 7919) % PERIOD_SECONDS


def at_once(_number: int, _chance: object) -> float:
    """Let all be due now."""
    return 0.0


def nothing_lost(scenario: str, world: World) -> Iterator[Result]:
    """Return the goals that every scenario has."""
    yield Result(scenario=scenario, what="expired", figure=len(world.tally.expired), limit=0)
    world.drain()  # tokens of a run that is under way are in neither place yet
    yield Result(scenario=scenario, what="redeemed, not stored nor kept", figure=len(world.dead()), limit=0)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def herd(secrets: int, seed: int) -> Iterator[Result]:
    """All one-hour tokens are due at once."""
    world = World(shared(secrets), due=at_once, seed=seed)
    world.run(19)
    yield from nothing_lost("all due at once", world)


def copies(secrets: int, seed: int) -> Iterator[Result]:
    """All are due at once, and each has a copy; one in twenty copies is missing."""
    minutes = dict.fromkeys((False, True), 0)
    for published in minutes:
        world = World(shared(secrets), due=at_once, seed=seed, copies=published)
        arns = list(world.copies or ())
        missing = set(world.chance.sample(arns, len(arns) // 20))
        for secret_arn in missing:
            del world.account.models[(world.copies or {})[secret_arn]]
        while world.tally.refreshed < len(world.of) and minutes[published] < MOST_MINUTES:
            world.run(1)
            minutes[published] += 1
    scenario = "all due at once, with copies"
    # Four writes a refresh in place of two; the first minute goes into the slow start.
    most = 2 * minutes[False] + 1
    yield Result(scenario=scenario, what="all stored after, min", figure=minutes[True], limit=most)
    yield from nothing_lost(scenario, world)
    failed = sum(world.tally.errors.values())
    yield Result(scenario=scenario, what="runs that failed", figure=failed, limit=0)
    yield Result(scenario=scenario, what="minutes of the store's breaker", figure=world.tally.breakers[STORE], limit=0)
    wrong = world.behind() ^ missing
    yield Result(scenario=scenario, what="copies behind that are there", figure=len(wrong), limit=0)


def steady(secrets: int, seed: int) -> Iterator[Result]:
    """One-hour tokens in a steady state; the dispatcher's memory is measured at its beginning and its end."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.run(45)  # by then each row is what a run of this world left
    before = memory_of_a_minute(world)
    world.run(15)
    growth = memory_of_a_minute(world) / before  # before the last runs are drained, while more and more is due
    yield from nothing_lost("steady state", world)
    yield Result(scenario="steady state", what="p99, due to stored, s", figure=world.quantile(0.99), limit=LATE_SECONDS)
    yield Result(scenario="steady state", what="dispatcher's memory in 15 min, x", figure=growth, limit=MEMORY_GROWTH)


def hanging(secrets: int, seed: int) -> Iterator[Result]:
    """A provider with 30 % of the secrets hangs for an hour; its own tokens expire, and nobody else's."""
    names = dict.fromkeys(FIVE, secrets * 7 // 50) | {"hanging": secrets * 3 // 10}
    world = World(names, due=spread, seed=seed)
    world.break_down("hanging", 5, minutes=60)
    world.run(70)
    late = world.quantile(0.99, but="hanging")
    yield Result(
        scenario="30 % hang for an hour", what="others' p99, due to stored, s", figure=late, limit=LATE_SECONDS
    )
    expired = sum(world.of[arn] != "hanging" for arn in world.tally.expired)
    yield Result(scenario="30 % hang for an hour", what="others expired", figure=expired, limit=0)
    twice = world.double_redemptions()
    yield Result(scenario="30 % hang for an hour", what="redeemed twice", figure=twice, limit=0)


def lost_index(secrets: int, seed: int) -> Iterator[Result]:
    """The index is deleted in the middle, and rebuilt from the tags."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.run(20)
    world.lose_index()
    world.run(40)
    yield from nothing_lost("index deleted in the middle", world)


def saturated(secrets: int, seed: int) -> Iterator[Result]:
    """More is due than the budget allows: three times as many secrets as fit."""
    world = World(shared(secrets * 3), due=at_once, seed=seed)
    # The first minutes, with the slow start, fill the queue and would make the share too small.
    world.run(4)
    before, began = world.account.writes.taken, world.clock.seconds
    world.run(10)
    used = (world.account.writes.taken - before) / (world.clock.seconds - began) / world.limits.writes_per_second
    yield Result(
        scenario=f"{secrets * 3:,} due at once",
        what="of the write budget used",
        figure=used,
        limit=BUDGET_SHARE,
        at_least=True,
    )
    world.drain()
    lost = len(world.dead())
    yield Result(scenario=f"{secrets * 3:,} due at once", what="redeemed, not stored nor kept", figure=lost, limit=0)


def half_quota(secrets: int, seed: int) -> Iterator[Result]:
    """Other teams use half of the write quota."""
    world = World(shared(secrets), due=spread, writes_per_second=QUOTA / 2, seed=seed)
    world.run(50)
    yield from nothing_lost("half of the quota is gone", world)


def limited(secrets: int, seed: int) -> Iterator[Result]:
    """Ten providers are near their own rate limits: 20 % above what a steady state needs."""
    names = tuple(f"limited{n}" for n in range(10))
    world = World(shared(secrets, names), due=spread, seed=seed)
    for name in names:
        world.limit(name, 1.2 * secrets / len(names) / PERIOD_SECONDS)
    world.run(50)
    yield from nothing_lost("ten providers at their limits", world)
    refused = sum(provider.limited for provider in world.providers.values()) / max(1, world.tally.refreshed)
    yield Result(scenario="ten providers at their limits", what="requests refused, share", figure=refused, limit=0.1)


def throttled(secrets: int, seed: int) -> Iterator[Result]:
    """Secrets Manager throttles every call for ten minutes."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.account.outage = world.span(10, 10)
    world.run(50)
    yield from nothing_lost("Secrets Manager throttles for 10 min", world)


def deployment(secrets: int, seed: int) -> Iterator[Result]:
    """A deployment in the middle of a herd: no dispatcher for two minutes."""
    world = World(shared(secrets * 4 // 5), due=at_once, seed=seed)
    world.deaf = (240.0, 360.0)
    world.run(19)
    yield from nothing_lost("deployment in a herd", world)


def memory_of_a_minute(world: World) -> float:
    """Measure the peak memory of one decision."""
    READ_ROW.forget()
    tracemalloc.start()
    fleet = Fleet(
        rows=list(world.index.rows()), providers=world.provider_limits, limits=Limits(), pauses=world.index.pauses()
    )
    measure(fleet, decide(fleet, world.clock.now), world.clock.now)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return float(peak)


SCENARIOS: dict[str, Callable[[int, int], Iterator[Result]]] = {
    "herd": herd,
    "copies": copies,
    "steady": steady,
    "hanging": hanging,
    "lost-index": lost_index,
    "saturated": saturated,
    "half-quota": half_quota,
    "limited": limited,
    "throttled": throttled,
    "deployment": deployment,
}
