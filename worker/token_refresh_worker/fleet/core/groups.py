"""Which FIFO group each message goes to: a group runs one message at a time, so groups keep secrets apart.

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
    """Give each message, by its pool, the group with the least to do.

    Args:
        pools: Of each message.
        concurrency: How many runs there are at once.
        load: How many runs each group has yet to report.
        failing: How many first runs have failed lately, by provider.
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
