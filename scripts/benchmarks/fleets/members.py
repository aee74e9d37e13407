"""Scenarios in which a fleet's own members are bad, or AWS is: what one customer's trouble costs all the others."""

from collections.abc import Callable, Collection, Iterator
from itertools import product
from random import Random

from benchmarks.fleets.goals import LATE_SECONDS, Result, nothing_lost, shared, spread
from benchmarks.fleets.world import SECONDS_A_MINUTE, World
from testbed.dynamodb.virtual import TableFault
from token_refresh_worker.fleet.core.breaker import STORE
from token_refresh_worker.oauth.response import FailureKind

BEGINS_MINUTE = 10
OBJECTIVE_PERCENT = 99.9
MANY = 1_000
REPAIRED = 120
"""The minute."""
PERIODS = 3
"""How many periods of five minutes the alarm `objective-missed` waits."""


def onboarding(secrets: int, seed: int) -> Iterator[Result]:
    """Imported secrets join whose key refuses the worker; their tokens have expired, so they come first."""
    count, reads = [*product((50, 100, 200), (False, True))][seed % 6]
    world = World(shared(secrets), due=spread, seed=seed)
    world.run(BEGINS_MINUTE)
    bad = set(world.join("alpha", count))
    (world.account.unreadable if reads else world.account.unwritable).update(bad)
    world.run(90)
    yield from _harmless(f"{count} join that can't be {'read' if reads else 'written'}", world, bad)


def bad_members(secrets: int, seed: int) -> Iterator[Result]:
    """A part of all secrets, spread, drawn by lot or in a block, have keys that refuse the worker."""
    share, place = [*product((0.1, 0.2, 0.3, 0.5, 0.8), ("spread", "by lot")), (0.1, "in a block")][seed % 11]
    reads = seed % 4 == 3  # noqa: PLR2004 - each share with both
    world = World(shared(secrets), due=spread, seed=seed)
    bad = set(_bad(world, share, place))
    world.run(BEGINS_MINUTE)
    (world.account.unreadable if reads else world.account.unwritable).update(bad)
    world.run(100)
    yield from _harmless(f"{share:.0%} {place} can't be {'read' if reads else 'written'}", world, bad)


def _bad(world: World, share: float, place: str) -> Collection[str]:
    arns = list(world.of)
    count = round(share * len(arns))
    if place == "by lot":
        return world.chance.sample(arns, count)
    if place == "in a block":
        # Those that are due one after the other.
        return sorted(arns, key=lambda arn: world.expiry[arn])[:count]
    return [arn for number, arn in enumerate(arns) if number % 10 < share * 10]


def _harmless(scenario: str, world: World, bad: Collection[str], *, limit: float = 0) -> Iterator[Result]:
    healthy = world.of.keys() - set(bad)
    expired = (world.tally.expired | world.stale()) & healthy
    yield Result(scenario=scenario, what="healthy expired", figure=len(expired), limit=limit)
    # In a small fleet nobody else may be due for three minutes.
    minutes = 10 if len(world.of) >= MANY else 60
    yield Result(
        scenario=scenario, what="minutes of the store's breaker", figure=world.tally.breakers[STORE], limit=minutes
    )
    world.drain()
    yield Result(scenario=scenario, what="grants dead", figure=len(world.dead() - set(bad)), limit=0)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def unkept(secrets: int, seed: int) -> Iterator[Result]:
    """Tokens that can't be written hold their runs until the deadline: no key for kept tokens, or a throttled one."""
    throttled = bool(seed % 2)
    world = World(shared(secrets), due=spread, seed=seed, keeps=throttled)
    world.run(BEGINS_MINUTE)
    bad = set(_bad(world, 0.05, "by lot"))
    (world.account.slowed if throttled else world.account.unwritable).update(bad)
    world.run(100)
    scenario = f"5 % {'have a throttled key' if throttled else 'unwritable, no key for kept tokens'}"
    healthy = world.of.keys() - bad
    figure = len((world.tally.expired | world.stale()) & healthy)
    yield Result(scenario=scenario, what="healthy expired", figure=figure, limit=0)


def store_beside(secrets: int, seed: int) -> Iterator[Result]:
    """All writes are refused for 30 minutes, or the store is away for 6 hours, beside 5 % that can't be written."""
    away = bool(seed % 2)
    world = World(shared(secrets), due=spread, seed=seed)
    bad = set(_bad(world, 0.05, "by lot"))
    world.account.unwritable.update(bad)
    minutes = 6 * 60 if away else 30
    span = world.span(BEGINS_MINUTE, minutes)
    world.account.outage, world.account.refusal = (span, (0.0, 0.0)) if away else ((0.0, 0.0), span)
    world.run(BEGINS_MINUTE + minutes + 1)
    fresh = world.minutes_until_fresh(30, but=world.dead() | bad)
    world.run(5)
    scenario = f"store {'away for 6 h' if away else 'refuses writes for 30 min'}, 5 % unwritable"
    yield Result(scenario=scenario, what="fresh after, min", figure=fresh + 1, limit=5 if away else 10)
    yield Result(scenario=scenario, what="grants dead", figure=len(world.dead() - bad), limit=0)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def lagging_index(secrets: int, seed: int) -> Iterator[Result]:
    """The index is minutes behind for an hour."""
    behind = (1, 3, 6, 10, 20)[seed % 5]
    world = World(shared(secrets), due=spread, seed=seed)
    world.slip(BEGINS_MINUTE, 60, behind=behind)
    world.run(BEGINS_MINUTE + 60 + 2 * behind)
    scenario = f"index {behind} min behind for an hour"
    yield Result(scenario=scenario, what="p99, due to stored, s", figure=world.quantile(0.99), limit=LATE_SECONDS)
    yield Result(scenario=scenario, what="breakers, min", figure=world.tally.breakers.total(), limit=0)
    yield from nothing_lost(scenario, world)


SHARES: dict[float, float] = {0.06: 0.0, 0.3: 0.001, 0.5: 0.04}
"""Which share of the tokens may expire where such a share of the writes fails."""


def failing_table(secrets: int, seed: int) -> Iterator[Result]:
    """A part of DynamoDB's writes fail for an hour: each for itself, or all of them for a part of each minute."""
    share, how = [*product(SHARES, ("each for itself", "in bursts"))][seed % 6]
    world = World(shared(secrets), due=spread, seed=seed)
    begins, ends = world.span(BEGINS_MINUTE, 60)
    alone = [TableFault(begins=begins, ends=ends, share=share)]
    world.table.faults = alone if how == "each for itself" else [*_bursts(begins, ends, share, world.chance)]
    world.run(BEGINS_MINUTE + 60 + 10)
    scenario = f"{share:.0%} of the table's writes fail, {how}"
    yield Result(scenario=scenario, what="breakers, min", figure=world.tally.breakers.total(), limit=0)
    yield from _kept_through(scenario, world, SHARES[share])


def failing_minutes(secrets: int, seed: int) -> Iterator[Result]:
    """In a third of the minutes every write of the table fails: who is silent has an open breaker."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.table.faults = [*_whole_minutes(*world.span(BEGINS_MINUTE, 30), 1 / 3, world.chance)]
    world.run(BEGINS_MINUTE + 30 + 10)
    yield from _kept_through("a third of the minutes without the table", world, 0.05)


def _bursts(begins: float, ends: float, share: float, chance: Random) -> Iterator[TableFault]:
    """Let all writes fail for a part of each minute; the part is `share` on average."""
    minute = begins
    while minute < ends:
        length = 60 * min(1.0, share * chance.uniform(0.5, 1.5))
        start = minute + chance.uniform(0, 60 - length)
        yield TableFault(begins=start, ends=start + length)
        minute += 60


def _whole_minutes(begins: float, ends: float, share: float, chance: Random) -> Iterator[TableFault]:
    """Let all writes fail in a share of the minutes, by lot."""
    minute = begins
    while minute < ends:
        if chance.random() < share:
            yield TableFault(begins=minute, ends=minute + 60)
        minute += 60


def _kept_through(scenario: str, world: World, share: float) -> Iterator[Result]:
    expired = len(world.tally.expired) / len(world.of)
    yield Result(scenario=scenario, what="expired, share", figure=expired, limit=share)
    world.drain()
    yield Result(scenario=scenario, what="redeemed, not stored nor kept", figure=len(world.dead()), limit=0)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def growth(secrets: int, seed: int) -> Iterator[Result]:
    """A fleet grows from nothing within an hour, by secrets whose tokens are fresh."""
    world = World({"alpha": 1}, due=lambda _n, _c: 600.0, seed=seed, measured=True)
    for minute in range(60):
        world.join("alpha", secrets // 60, expired=minute % 2 == 0)
        world.run(1)
    missed = [minute.get("WithinWindowPercent", 100.0) < OBJECTIVE_PERCENT for minute in world.tally.gauges]
    periods = [any(missed[n : n + 5]) for n in range(0, len(missed), 5)]
    rings = sum(all(periods[n : n + PERIODS]) for n in range(len(periods) - PERIODS + 1))
    scenario = f"grows to {secrets:,} in an hour"
    yield Result(scenario=scenario, what="periods of objective-missed", figure=rings, limit=0)


def repair(secrets: int, seed: int) -> Iterator[Result]:
    """A third of the secrets could not be read, or written, for two hours; then somebody allows it."""
    reads = bool(seed % 2)
    world = World(shared(secrets), due=spread, seed=seed)
    bad = set(_bad(world, 0.3, "by lot"))
    refused = world.account.unreadable if reads else world.account.unwritable
    refused.update(bad)
    world.run(REPAIRED)
    before = max(count for provider in world.providers.values() for count in provider.requests.values())
    refused.clear()
    half = full = 0
    for minute in range(1, 90):
        world.run(1)
        left = len(world.stale() & bad)
        half = half or (minute if left <= len(bad) / 2 else 0)
        full = full or (minute if not left else 0)
        if full:
            break
    herd = max(n for each in world.providers.values() for minute, n in each.requests.items() if minute >= REPAIRED)
    scenario = f"30 % can be {'read' if reads else 'written'} again"
    yield Result(scenario=scenario, what="half fresh after, min", figure=half or 99, limit=5)
    yield Result(scenario=scenario, what="all fresh after, min", figure=full or 99, limit=10)
    yield Result(
        scenario=scenario, what="requests a minute at a provider", figure=herd, limit=max(before, len(bad) / 2)
    )
    expired = (world.tally.expired | world.stale()) - bad
    yield Result(scenario=scenario, what="healthy expired", figure=len(expired), limit=0)


def gateway(secrets: int, seed: int) -> Iterator[Result]:
    """One request in five at random gets a plain 503 from a gateway, or can't connect; tokens are single-use."""
    plain = bool(seed % 2)
    world = World({"alpha": secrets}, due=spread, hosts=max(1, secrets // 20), seed=seed)
    provider = world.providers["alpha"]
    provider.gateway_share = 0.2
    provider.gateway_says = FailureKind.NO_RESPONSE if plain else FailureKind.NOT_SENT
    world.run(120)
    scenario = f"one request in five: {'plain 503' if plain else 'no connection'}, single use"
    share = len(world.tally.expired) / max(1, world.tally.refreshed)
    # Of three tries before the token expires, 0.8 % meet the gateway each time.
    yield Result(scenario=scenario, what="expired, share of the refreshes", figure=share, limit=0.015)
    yield Result(scenario=scenario, what="redeemed twice", figure=world.double_redemptions(), limit=0)


def small_account(secrets: int, seed: int) -> Iterator[Result]:
    """The account runs ten functions at once, and other functions take up to eight of them."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.queue.account = lambda: 10 - world.chance.randrange(9)
    world.run(90)
    scenario = "an account of ten runs, shared"
    yield Result(scenario=scenario, what="p99, due to stored, s", figure=world.quantile(0.99), limit=600)
    yield from nothing_lost(scenario, world)


def late_scheduler(secrets: int, seed: int) -> Iterator[Result]:
    """Each dispatcher starts up to a minute late, and one minute in five has two."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.latest_start, world.doubled = float(SECONDS_A_MINUTE), 0.2
    world.run(90)
    yield from nothing_lost("dispatcher a minute late, or two of them", world)


def redeemed_and_lost(secrets: int, seed: int) -> Iterator[Result]:
    """A provider with a tenth of the secrets redeems tokens and never responds, for ten minutes: grants are lost."""
    world = World(shared(secrets * 9 // 10) | {"lossy": secrets // 10}, due=spread, seed=seed)
    world.break_down("lossy", BEGINS_MINUTE, minutes=10, kind="redeems")
    world.run(60)
    scenario = "a provider redeems and never responds, 10 min"
    others = [arn for arn in world.tally.expired | world.stale() if world.of[arn] != "lossy"]
    yield Result(scenario=scenario, what="others expired", figure=len(others), limit=0)
    lost = sum(world.of[arn] == "lossy" for arn in world.dead())
    yield Result(scenario=scenario, what="its grants lost", figure=lost, limit=64)
    twice = [count for provider in world.providers.values() for count in provider.redeemed.values() if count > 2]  # noqa: PLR2004 - the last quarter sends it again
    yield Result(scenario=scenario, what="sent more than twice", figure=len(twice), limit=lost)


def much_poison(secrets: int, seed: int) -> Iterator[Result]:
    """The runs on a tenth of the secrets kill their function."""
    world = World(shared(secrets), due=spread, seed=seed)
    world.poisoned = set(_bad(world, 0.1, "by lot"))
    world.run(90)
    scenario = "a tenth kill their function"
    expired = (world.tally.expired | world.stale()) - world.poisoned
    yield Result(scenario=scenario, what="others expired", figure=len(expired), limit=0)
    # After each crash the mapping starts half as many runs: the others are late, and in time.
    yield Result(scenario=scenario, what="others' p99, due to stored, s", figure=world.quantile(0.99), limit=600)


MEMBERS: dict[str, Callable[[int, int], Iterator[Result]]] = {
    "onboarding": onboarding,
    "bad-members": bad_members,
    "unkept": unkept,
    "store-beside": store_beside,
    "lagging-index": lagging_index,
    "failing-table": failing_table,
    "failing-minutes": failing_minutes,
    "growth": growth,
    "repair": repair,
    "gateway": gateway,
    "small-account": small_account,
    "late-scheduler": late_scheduler,
    "redeemed-and-lost": redeemed_and_lost,
    "much-poison": much_poison,
}
