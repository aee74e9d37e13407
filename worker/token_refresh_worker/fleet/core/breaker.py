"""One circuit breaker a provider, computed from the rows alone, so that it survives any restart.

Only runs that sent a token request count. Each run in a row that succeeds lets five more through, until the breaker
closes. A row knows its last run only, which is enough: a failing secret is not retried within the minute.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Final

from token_refresh_worker.fleet.core.row import Row, Seen, State

RUNS: Final = 20
FEWEST_RUNS: Final = 5
UNKNOWN_IN_A_ROW: Final = 3
BURST: Final = 5
BURST_TIME: Final = timedelta(minutes=10)
REMEMBERED: Final = timedelta(hours=1)
"""Older runs say nothing about the provider of this moment."""
STEP: Final = 5

_NO_RESPONSE: Final = frozenset({"TokenEndpointUnavailable", "RefreshOutcomeUnknown"})
_UNKNOWN: Final = frozenset({"RefreshOutcomeUnknown", "TokensNotStored"})


class BreakerReason(StrEnum):
    """Why a breaker is open."""

    NO_RESPONSE = "no_response"
    """Half of the last 20 runs (at least 5) got no response."""
    CLIENT_REJECTED = "client_rejected"
    """Half of the last 20 runs (at least 5) met `invalid_client`."""
    UNKNOWN_OUTCOMES = "unknown_outcomes"
    """Refresh tokens are single-use, and the last 3 runs have an unknown outcome or could not store new tokens."""
    REJECTED_GRANTS = "rejected_grants"
    """Over 5 grants, and a fifth of the provider's, are rejected within 10 minutes."""


PAUSES: Final = {
    BreakerReason.NO_RESPONSE: timedelta(minutes=2),
    BreakerReason.CLIENT_REJECTED: timedelta(minutes=10),
    BreakerReason.UNKNOWN_OUTCOMES: timedelta(minutes=5),
    BreakerReason.REJECTED_GRANTS: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """An open breaker."""

    reason: BreakerReason
    allowed: int
    """How many runs may be under way at once."""


def breaker_of(rows: Iterable[Row], *, single_use: bool, now: datetime) -> Breaker | None:
    """Return the breaker of a provider, given all of its rows, where it is open.

    With `single_use` the provider revokes the grant when a redeemed refresh token is sent again.
    """
    rows = list(rows)
    # A fresh run sends nothing, and would close the breaker of a provider that is down.
    runs = sorted(
        (row.seen for row in rows if row.seen and row.seen.requests and row.seen.at > now - REMEMBERED),
        key=lambda seen: seen.at,
        reverse=True,
    )
    reason = _reason(runs, len(rows), single_use=single_use)
    return None if reason is None else Breaker(reason=reason, allowed=_allowed(reason, runs, now))


def _reason(runs: Sequence[Seen], secrets: int, *, single_use: bool) -> BreakerReason | None:
    if _burst_of_rejections(runs, secrets):
        return BreakerReason.REJECTED_GRANTS
    # In order of the danger: unknown outcomes may each cost a grant, so three suffice.
    since_success = list(takewhile(lambda seen: seen.error_type is not None, runs))
    if single_use and _unknown_in_a_row(since_success):
        return BreakerReason.UNKNOWN_OUTCOMES
    last = runs[:RUNS]
    if len(last) < FEWEST_RUNS:
        return None
    if 2 * sum(seen.error_type in _NO_RESPONSE for seen in last) >= len(last):
        return BreakerReason.NO_RESPONSE
    if 2 * sum(seen.error_type == "ClientRejected" for seen in last) >= len(last):
        return BreakerReason.CLIENT_REJECTED
    return None


def _unknown_in_a_row(runs: Sequence[Seen]) -> bool:
    newest = runs[:UNKNOWN_IN_A_ROW]
    return len(newest) == UNKNOWN_IN_A_ROW and all(seen.error_type in _UNKNOWN for seen in newest)


def _burst_of_rejections(runs: Sequence[Seen], secrets: int) -> bool:
    """Whether more grants were rejected within ten minutes than single customers revoke: the provider errs."""
    rejected = [seen.at for seen in runs if seen.state is State.REAUTHORIZE]
    many = max(BURST, secrets // 5)
    # The n-th rejection after each one: near enough in time, and the rows between them are a burst.
    return any(latest - earliest <= BURST_TIME for latest, earliest in zip(rejected, rejected[many:], strict=False))


def _allowed(reason: BreakerReason, runs: Sequence[Seen], now: datetime) -> int:
    successes = len(list(takewhile(lambda seen: seen.error_type is None, runs)))
    if successes:
        return STEP * successes
    # Counted from the newest run, so a probe that fails restarts the pause.
    return 1 if now >= runs[0].at + PAUSES[reason] else 0
