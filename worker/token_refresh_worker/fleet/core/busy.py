"""How many runs a busy host gets in a minute: as many as it takes, found from the rows alone.

A host is busy where it refused a request of the last five minutes (429). It gets the larger of two numbers: what it
took in its best minute since then and a tenth more, or a half more after a minute without a refusal (when it got twice
as many, it refused a third); and twice what its secrets need, or four times where it takes less than they need, since
others may use up its limit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Final

from token_refresh_worker.fleet.core.breaker import RECENTLY, by_host, lanes_of
from token_refresh_worker.fleet.core.fleet import MINUTE
from token_refresh_worker.fleet.core.messages import SECONDS
from token_refresh_worker.fleet.core.repair import minute_hash
from token_refresh_worker.fleet.core.row import BUSY, Row

GOLDEN_RATIO: Final = (5**0.5 - 1) / 2
"""Steps of this part of a minute come to every part of it soon."""


def busy_hosts(rows: Iterable[Row], now: datetime) -> Mapping[str, int]:
    """Return the lanes of the busy hosts, and how many runs each gets in this minute."""
    living = by_host(row for row in rows if row.is_living)
    return {lane: share for lane, its in living.items() if (share := _share(its, now))}


def earliest_seconds(rows: Sequence[Row], busy: Iterable[str], now: datetime) -> list[float]:
    """Say before which second of the minute each row's message is not sent; those of a busy host are spread evenly.

    A request that was refused comes at another second: others may use up the limit at the same ones of each minute.
    """
    seconds = [0.0] * len(rows)
    for lane in busy:
        its = sorted((_wanted(row, now), place) for place, row in enumerate(rows) if lane in lanes_of(row))
        for number, (_, place) in enumerate(its):
            seconds[place] = SECONDS * (number + its[0][0]) / len(its)
    return seconds


def _wanted(row: Row, now: datetime) -> float:
    """Return the part of the minute in which to send a row's message."""
    if row.sent is not None and row.sent.error_type == BUSY:
        return (row.sent.at.timestamp() / SECONDS + GOLDEN_RATIO) % 1
    return minute_hash(row, now)[0] / 256


def _share(rows: Sequence[Row], now: datetime) -> int:
    """Return how many runs a host gets; 0 if it is not busy."""
    sent = [row.sent for row in rows if row.sent]
    refused = [each.at for each in sent if each.error_type == BUSY]
    # What was refused before it succeeded.
    refused += [row.seen.mended_at for row in rows if row.seen and row.seen.mended == BUSY and row.seen.mended_at]
    calm = min((max(0, (now - at) // MINUTE) for at in refused), default=RECENTLY // MINUTE)
    if calm >= RECENTLY // MINUTE:
        return 0
    took = Counter(max(0, (now - each.at) // MINUTE) for each in sent if each.error_type is None)
    best = max(took[age] for age in range(calm + 1))
    spans = [
        row.tokens.due_at - row.seen.succeeded_at
        for row in rows
        if row.seen and row.seen.succeeded_at and row.tokens.due_at
    ]
    need = sum(MINUTE / max(MINUTE, span) for span in spans)
    return ceil(max(1, best * (1.5 if calm else 1.1), need * (2 if best >= need else 4)))
