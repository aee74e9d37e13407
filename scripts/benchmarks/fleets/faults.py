"""Scenarios in which half of the world fails: each begins at a random second of a minute, by its seed."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from benchmarks.fleets.goals import LATE_SECONDS, Result, at_once, nothing_lost, shared, spread
from benchmarks.fleets.world import World
from token_refresh_worker.fleet.core.fleet import ProviderLimits

UNKNOWN = "RefreshOutcomeUnknown"
BEGINS_MINUTE = 10
HOURS = 3
HOUR_SECONDS = 3_600
CELLS: list[tuple[float, dict[str, Any], bool]] = list(
    product(
        (0.2, 0.5),
        ({"kind": "refuses"}, {"kind": "hangs", "seconds": 15.0}, {"kind": "hangs", "seconds": 60.0}),
        (False, True),
    )
)
"""Which share of the hosts fails, how, and whether each tenant has a host of its own. A seed plays one of them."""


def writes_refused(secrets: int, seed: int) -> Iterator[Result]:
    """Secrets Manager refuses every write for 30 minutes, and reads work."""
    scenario = "writes refused for 30 min"
    world = World(shared(secrets), due=spread, seed=seed)
    world.account.refusal = world.span(BEGINS_MINUTE, 30)
    world.run(BEGINS_MINUTE + 31)
    minutes = world.minutes_until_fresh(30, but=world.dead())
    world.run(20)
    yield Result(scenario=scenario, what="grants dead", figure=len(world.dead()), limit=0)
    yield Result(scenario=scenario, what="fresh after, min", figure=minutes + 1, limit=10)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def hosts(secrets: int, seed: int) -> Iterator[Result]:
    """A part of a provider's hosts fails for three hours, and a few secrets can't be written."""
    share, how, own = CELLS[seed % len(CELLS)]
    count = secrets if own else 10
    scenario = f"{share:.0%} of {'own' if own else '10'} hosts: {how['kind']} {how.get('seconds', '')}".strip()
    world = World({"alpha": secrets}, due=spread, hosts=count, seed=seed)
    broken = {arn for arn, host in world.host.items() if host < share * count}
    healthy = world.of.keys() - broken
    locked = set(sorted(healthy)[:5])
    world.account.unwritable = locked
    world.break_down("alpha", BEGINS_MINUTE, minutes=HOURS * 60, share=share, **how)
    world.run(BEGINS_MINUTE + HOURS * 60 + 1)
    expired = len((world.tally.expired | world.stale()) & healthy - locked)
    world.run(14)
    requests = max(map(_in_worst_hour, world.providers["alpha"].failed.values()), default=0)
    yield Result(scenario=scenario, what="healthy tenants expired", figure=expired, limit=0)
    yield Result(scenario=scenario, what="requests in an hour to a dead host", figure=requests, limit=20)
    if how["kind"] == "refuses":
        yield Result(
            scenario=scenario, what="not back 15 min after", figure=len(world.stale() & broken - locked), limit=0
        )
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def _in_worst_hour(seconds: list[float]) -> int:
    return max(sum(begins <= each < begins + HOUR_SECONDS for each in seconds) for begins in seconds)


def store_away(secrets: int, seed: int) -> Iterator[Result]:
    """Secrets Manager is away for six hours."""
    scenario = f"store away for 6 h, {secrets:,} secrets"
    world = World(shared(secrets), due=spread, seed=seed)
    world.account.outage = world.span(BEGINS_MINUTE, 6 * 60)
    world.run(BEGINS_MINUTE + 6 * 60)
    # The rest of the minute in which it ends.
    minutes = world.minutes_until_fresh(90, but=world.dead())
    yield Result(scenario=scenario, what="fresh after, min", figure=minutes, limit=max(5, 3 + secrets / 1000))
    world.run(5)
    yield Result(scenario=scenario, what="grants dead", figure=len(world.dead()), limit=0)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def slow_herd(secrets: int, seed: int) -> Iterator[Result]:
    """All are due at once at one provider that takes 1.5 s for a response."""
    world = World({"alpha": secrets}, due=at_once, seed=seed)
    world.providers["alpha"].median_seconds = 1.5
    world.run(20)
    yield from nothing_lost("all due at once, 1.5 s a response", world)


def tight_rate(secrets: int, seed: int) -> Iterator[Result]:
    """A provider's own rate is a fifth above what its tokens' life needs; the dispatcher starts up to 4 s late."""
    scenario = "provider's own rate"
    world = World({"alpha": secrets}, due=spread, seed=seed)
    world.limit("alpha", secrets / 3000)
    world.latest_start = 4.0
    world.run(60)
    world.tally.expired.clear()
    world.run(120)
    yield Result(scenario=scenario, what="expired after the first cycle", figure=len(world.tally.expired), limit=0)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)
    refused = world.providers["alpha"].limited / max(1, world.tally.refreshed)
    yield Result(scenario=scenario, what="requests refused, share", figure=refused, limit=0.4)


def busy(secrets: int, seed: int) -> Iterator[Result]:
    """A provider that is well refuses one request in five, at random."""
    world = World({"alpha": secrets}, due=spread, hosts=max(1, secrets // 20), seed=seed)
    world.providers["alpha"].busy_share = 0.2
    world.run(180)
    yield Result(scenario="one request in five refused", what="expired", figure=len(world.tally.expired), limit=0)


def unknown(secrets: int, seed: int) -> Iterator[Result]:
    """The provider of rows that nobody has read yet hangs."""
    world = World({"alpha": secrets}, due=at_once, seed=seed)
    world.forget()
    world.provider_limits["unknown"] = ProviderLimits()
    world.break_down("alpha", -1, minutes=60)
    world.run(10)
    yield Result(
        scenario="unknown rows, provider hangs",
        what="unknown outcomes",
        figure=world.tally.errors.get(UNKNOWN, 0),
        limit=15,
    )


def hanging_herd(secrets: int, seed: int) -> Iterator[Result]:
    """All are due at once at a provider that hangs, at once or a few minutes later."""
    for minute in (-1, 3):
        world = World({"alpha": secrets}, due=at_once, seed=seed)
        world.break_down("alpha", minute, minutes=60)
        world.run(12)
        yield Result(
            scenario=f"{secrets:,} due, provider hangs {'before' if minute < 0 else 'in the middle'}",
            what="unknown outcomes",
            figure=world.tally.errors.get(UNKNOWN, 0),
            # Later it hits all that runs, and before the dispatcher knows, some of what follows.
            limit=40 if minute < 0 else 64,
        )


def poison(secrets: int, seed: int) -> Iterator[Result]:
    """The runs on three secrets of one provider kill their function."""
    scenario = "three secrets kill their function"
    world = World(shared(secrets), due=spread, seed=seed)
    world.poisoned = set(list(world.of)[:3])
    world.run(90)
    expired = world.tally.expired - world.poisoned
    yield Result(scenario=scenario, what="others expired", figure=len(expired), limit=0)
    yield Result(
        scenario=scenario, what="others' p99, due to stored, s", figure=world.quantile(0.99), limit=LATE_SECONDS
    )


FAULTS = {
    "writes-refused": writes_refused,
    "hosts": hosts,
    "store-away": store_away,
    "slow-herd": slow_herd,
    "tight-rate": tight_rate,
    "busy": busy,
    "unknown": unknown,
    "hanging-herd": hanging_herd,
    "poison": poison,
}
