"""The compare: every five minutes, compare the index with the secrets that carry the fleet's tag."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.enrolment import Resync, TaggedSecret, compare_index
from token_refresh_worker.fleet.core.gauges import members_left
from token_refresh_worker.fleet.core.row import Row
from token_refresh_worker.fleet.settings import read_fleet_settings
from token_refresh_worker.run.outcome import metric_fields
from token_refresh_worker.run.ports import Log

_THREADS: Final = 8
"""Rows are added one by one, so that none replaces a row that is there; this many at a time."""


def resync_index(log: Log) -> dict[str, int]:
    """Bring the index up to date, and return what changed."""
    settings = read_fleet_settings(os.environ)
    found = synchronise(settings.index(), settings.members(), fleet=settings.name)
    counts = counts_of(found)
    # The dispatcher counts those that left. Those that a listing lacks and that stay are known here alone.
    lacks = metric_fields(members_left(found.not_believed, found.size), {"Fleet": settings.name})
    (log.warning if found.not_believed else log.info)("fleet_resync", fleet=settings.name, **counts, **lacks)
    return counts


def synchronise(
    index: TableIndex,
    members: Iterable[TaggedSecret],
    *,
    fleet: str,
    believe: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Resync:
    """Compare, and change the index; the secrets with the fleet's tag are read to the end before anything changes.

    To `believe` is to remove the rows that the listing lacks, however many there are. `progress` is given how many
    changes are done, and how many there are.
    """
    now = index.read_clock()
    tombstones = list(index.tombstones())
    found = compare_index(members, index.rows(), tombstones, fleet=fleet, now=now, believe=believe)
    changes: list[tuple[Callable[[Row], object], Row]] = [
        *((index.add, row) for row in found.add),
        *((lambda row: index.look_at(row.secret_arn, row.next_at), row) for row in found.look_at),
        *((lambda row: index.remove(row.secret_arn, now, quietly=False), row) for row in found.remove),
    ]
    progress(0, len(changes))
    # Each change holds by itself, so a resync that dies is finished by the next one.
    with ThreadPoolExecutor(_THREADS) as threads:
        for done, _ in enumerate(threads.map(lambda change: change[0](change[1]), changes), 1):
            progress(done, len(changes))
    return found


def counts_of(found: Resync) -> dict[str, int]:
    """Count the changes."""
    return {
        "added": len(found.add),
        "removed": len(found.remove),
        "looked_at": len(found.look_at),
        "not_believed": found.not_believed,
    }
