"""When in its minute each message is sent, and in which FIFO group.

The queue can't delay a message of a group, so the dispatcher sends it later: `pace` spreads a minute's messages over
its seconds. A group runs one message at a time, so groups keep secrets apart:

    PROVIDER-N           runs on secrets whose last request was good; at most 60 % of all runs at once
    PROVIDER-failed-N    what failed last, and probes: it may hang again; at most 12 %
    PROVIDER-lost-N      what was handed out and never reported: it may kill its function; at most 6 %

A provider has as many groups as its messages need: one runs some 25 a minute. Where a group is stuck behind a message
that hangs, or where first runs fail, a provider gets all the groups that it may have, and the emptiest come first.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final, Literal, NamedTuple

SECONDS: Final = 60
"""All of a minute: what a provider's rate leaves unused in one minute is lost."""
BUDGET_SECONDS: Final = 55
"""The write budget is spent a little sooner, so that its runs have reported when the next minute begins."""


def pace(
    providers: Sequence[str], *, per_minute: int, rates: Mapping[str, float | None], earliest: Sequence[float]
) -> list[list[int]]:
    """Return the positions of the messages to send in each second, without empty seconds at the end.

    Args:
        providers: The provider of each message, most urgent first.
        per_minute: The budget, which is spread evenly.
        rates: Token requests per second for each provider; None is unlimited. What exceeds a rate is left out.
        earliest: The second of each message before which it is not sent.
    """
    # Rounded up, so that a whole budget fits into the seconds.
    per_second = max(1, ceil(per_minute / BUDGET_SECONDS))
    seconds: list[list[int]] = [[] for _ in range(SECONDS)]
    first_open = 0
    provider_at: dict[str, float] = {}
    # By their seconds: else one that is sent late would hold up all others of its provider's rate.
    for position, provider in sorted(enumerate(providers), key=lambda each: earliest[each[0]]):
        while first_open < SECONDS and len(seconds[first_open]) >= per_second:
            first_open += 1
        # A slow provider's next second may be far ahead; the others fill the seconds before it.
        at = max(float(first_open), provider_at.get(provider, 0.0), earliest[position])
        while at < SECONDS and len(seconds[int(at)]) >= per_second:
            at = float(int(at) + 1)
        if at >= SECONDS:
            continue
        seconds[int(at)].append(position)
        rate = rates.get(provider)
        if rate is not None:
            provider_at[provider] = at + 1 / rate
    while seconds and not seconds[-1]:
        seconds.pop()
    return seconds


FEWEST: Final = 4
"""In a minute with few runs their number says little, and one slow secret would hold up all others."""
RUNS_A_MINUTE: Final = 25
STUCK: Final = 6
"""So many messages of a minute are left in a group when the next one begins."""
FAILING: Final = 5
"""First failures in five minutes."""
PERCENT: Final = {"": 60, "failed": 12, "lost": 6}
"""Of the runs at once; a fifth is left to the other providers, whatever one of them does."""


class Pool(NamedTuple):
    """The groups of one kind of a provider's runs."""

    provider: str
    kind: Literal["", "failed", "lost"]

    def name(self, number: int) -> str:
        """Name one of the groups."""
        return "-".join(part for part in (self.provider, self.kind, str(number)) if part)


def assign(
    pools: Sequence[Pool], *, concurrency: int, load: Mapping[str, int], failing: Mapping[str, int]
) -> list[str]:
    """Return a group for each message: the one of its pool that has the least to do.

    `concurrency` says how many runs there are at once, `load` how many each group has yet to report, and `failing` how
    many first runs of each provider have failed lately.
    """
    loads: dict[Pool, list[int]] = {}
    for pool, count in Counter(pools).items():
        most = max(1, concurrency * PERCENT[pool.kind] // 100)
        known = [load.get(pool.name(number), 0) for number in range(most)]
        stuck = max(known) >= STUCK or failing.get(pool.provider, 0) >= FAILING
        loads[pool] = known if stuck else known[: max(FEWEST, ceil(count / RUNS_A_MINUTE))]
    found = []
    for pool in pools:
        its = loads[pool]
        number = its.index(min(its))
        its[number] += 1
        found.append(pool.name(number))
    return found
