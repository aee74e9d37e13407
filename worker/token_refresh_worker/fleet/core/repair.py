"""Which failing secrets to try before their backoff ends, so that a repair is found without an operator.

A run that succeeds after an error shows that its cause is over: what failed with the same error before that is tried at
once, each secret at most every five minutes. So that somebody finds out, one secret of each cause that AWS names is
tried each minute, by lot. All of this follows from the rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from token_refresh.errors import error_named
from token_refresh_worker.fleet.core.breaker import burst_of_rejected, by_host, has_revived
from token_refresh_worker.fleet.core.row import Row

AGAIN_AFTER: Final = timedelta(minutes=5)
OVER_FOR: Final = timedelta(minutes=10)
"""So long after the last success the others have been tried."""
LOT_AFTER: Final = timedelta(minutes=1)


class SharedFault(NamedTuple):
    """What other secrets may have, too."""

    error_type: str
    provider: str
    """Empty where it is not the provider's."""
    of_account: bool
    """Whether a person repairs it at AWS, mostly for many secrets at once. A try sends nothing to a provider."""


def tried_early(rows: Iterable[Row], now: datetime) -> set[str]:
    """Return the ARNs of the secrets to try now, whatever `next_at` says."""
    failing = [(row, row.seen, cause) for row in rows if row.seen and (cause := _cause(row, row.seen.error_type))]
    over = _over(rows, now)
    early = {
        row.secret_arn
        for row, seen, cause in failing
        if cause in over and seen.at < over[cause] and seen.at <= now - AGAIN_AFTER
    }
    lots: dict[SharedFault, Row] = {}
    for row, seen, cause in failing:
        if cause.of_account and seen.at <= now - LOT_AFTER:
            lots[cause] = min(lots.get(cause, row), row, key=lambda each: minute_hash(each, now))
    return early | {row.secret_arn for row in lots.values()} | set(_rejected_in_a_burst(rows, now))


def _rejected_in_a_burst(rows: Iterable[Row], now: datetime) -> Iterator[str]:
    """Return one rejected grant of a burst each minute, and all of them once the provider has taken one."""
    for its in by_host(rows).values():
        ready = [row for row in burst_of_rejected(its, now) if row.seen and row.seen.at <= now - AGAIN_AFTER]
        tried = ready if has_revived(its, now) else sorted(ready, key=lambda row: minute_hash(row, now))[:1]
        yield from (row.secret_arn for row in tried)


def minute_hash(row: Row, now: datetime) -> bytes:
    """Draw a row's lot of this minute: the same each time that it is asked for."""
    return sha256(f"{row.secret_arn}|{int(now.timestamp()) // 60}".encode()).digest()


def _over(rows: Iterable[Row], now: datetime) -> Mapping[SharedFault, datetime]:
    """Return when each cause was last seen to be over."""
    found: dict[SharedFault, datetime] = {}
    for row in rows:
        at = row.seen.mended_at if row.seen else None
        cause = _cause(row, row.seen.mended) if row.seen else None
        if at is not None and cause is not None and now - OVER_FOR < at <= now:
            found[cause] = max(at, found.get(cause, at))
    return found


def _cause(row: Row, error_type: str | None) -> SharedFault | None:
    known = error_named(error_type)
    if known is None or known.shared is None:
        return None
    return SharedFault(known.__name__, row.provider if known.shared == "provider" else "", known.shared == "account")
