"""Circuit breakers and slow start, computed from the rows alone, so that they survive any restart.

A lane is where requests go: one token host of a provider (`xero/identity.xero.com`), or the provider as a whole
(`xero`). Each lane has a breaker. Only runs that sent a token request count, so a row keeps the last one of them over
runs that send nothing. One such run a row is enough: a failing secret is not retried within the minute.

A provider's breaker counts first failures alone, and only at hosts whose own breaker is closed: a few dead hosts, which
fail again and again, must not stop all others. A provider with one host needs no breaker beside its host's.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Final

from token_refresh.errors import ClientRejected, RefreshOutcomeUnknown, TokenEndpointUnavailable
from token_refresh_worker.fleet.core.row import BUSY, REJECTED, LastRequest, Row

RUNS: Final = 20
FEWEST_RUNS: Final = 4
UNKNOWN_IN_A_ROW: Final = 3
FEWEST_OF_PROVIDER: Final = 15
PERCENT_OF_PROVIDER: Final = 90
MINUTES_OF_PROVIDER: Final = timedelta(minutes=3)
BURST: Final = 5
BURST_TIME: Final = timedelta(minutes=10)
BURST_TRIED: Final = timedelta(hours=2)
"""So long after it died a grant counts in a burst: an hour's false rejections take as long again to try."""
RUNS_REMEMBERED: Final = timedelta(hours=1)
"""Older runs say nothing about the provider of this moment."""
STEP: Final = 5
"""How many runs may be under way in a lane of which nothing is known, and how many more after each success."""
RUN_IN: Final = 5
"""After so many successes the lane is as wide as the other limits let it be."""
RECENTLY: Final = timedelta(minutes=5)
"""For a lane's slow start and its first failures, for a busy host, and for one that rejects whatever comes."""
SILENT_RUNS: Final = 10
SILENT_TIME: Final = timedelta(minutes=1)
MANY_SILENT_RUNS: Final = 400
"""If so many runs have not reported, and fewer than half as many succeeded in that minute, most of them hang."""

STORE: Final = "Secrets Manager"
"""The name under which the store's breaker is shown. No provider can have it."""
STORE_SECRETS: Final = 3
STORE_QUIET: Final = timedelta(minutes=3)
"""Secrets whose own keys refuse are no failure of the store, however many: while it takes others, it works.

One minute is the dispatcher's rhythm: a block of such secrets would fill it.
"""
STORE_PROBES: Final = 2

RESPONDED: Final = frozenset({None, BUSY})
_UNKNOWN: Final = frozenset({RefreshOutcomeUnknown.__name__})


class BreakerReason(StrEnum):
    """Why a breaker is open."""

    NO_RESPONSE = "no_response"
    """Half of a host's last 20 runs (at least 4), its last 4, or 90 % of a provider's in 3 minutes got no response."""
    CLIENT_REJECTED = "client_rejected"
    """The same number of runs got `invalid_client`."""
    UNKNOWN_OUTCOMES = "unknown_outcomes"
    """Refresh tokens are single-use, and a host's last 3 runs, or 90 % of a provider's, have an unknown outcome."""
    REJECTED_GRANTS = "rejected_grants"
    """A host rejected over 5 runs in a row within 5 minutes, or accepted one token of a burst that it had rejected."""
    SILENT = "silent"
    """In a minute 10 runs did not report and none succeeded, or 400 did not report and under half as many succeeded."""
    STORE_REFUSES = "store_refuses"
    """Secrets Manager refused three secrets, and stored none for three minutes."""


PAUSES: Final = {
    BreakerReason.NO_RESPONSE: timedelta(minutes=2),
    BreakerReason.CLIENT_REJECTED: timedelta(minutes=10),
    BreakerReason.UNKNOWN_OUTCOMES: timedelta(minutes=5),
    BreakerReason.REJECTED_GRANTS: timedelta(minutes=5),
    BreakerReason.SILENT: timedelta(minutes=1),
    BreakerReason.STORE_REFUSES: timedelta(minutes=1),
}
LONGEST_SILENCE: Final = timedelta(minutes=7)
_REASONS: Final = (
    (_UNKNOWN | {TokenEndpointUnavailable.__name__}, BreakerReason.NO_RESPONSE),
    (frozenset({ClientRejected.__name__}), BreakerReason.CLIENT_REJECTED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """An open breaker."""

    reason: BreakerReason
    allowed: int
    """How many runs may be under way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """What the workers noted about Secrets Manager."""

    refused: frozenset[str] = frozenset()
    """The secrets that it refused since it last took one."""
    taken_at: datetime | None = None
    """When it took new tokens, give or take the time between two notes."""

    def refuses(self, now: datetime) -> bool:
        """Whether the store's breaker is open."""
        # Of one clock with `now`: what is far ahead is damage, and must not keep the breaker shut.
        took = self.taken_at is not None and abs(now - self.taken_at) < STORE_QUIET
        return len(self.refused) >= STORE_SECRETS and not took


def lanes_of(row: Row) -> tuple[str, ...]:
    """Name the lanes of a row: its provider and its host; none where nobody knows the host, and nothing is sent."""
    return () if row.host is None else (row.provider, f"{row.provider}/{row.host}")


def by_host(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Sort rows by the lane of their host."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for lane in lanes_of(row)[1:]:
            found.setdefault(lane, []).append(row)
    return found


def holds_back(breakers: Collection[str], row: Row) -> bool:
    """Whether an open breaker is in the way of a row's run."""
    return STORE in breakers or any(lane in breakers for lane in lanes_of(row))


def provider_in(lane: str) -> str:
    """Return the provider of a lane."""
    return lane.partition("/")[0]


def open_breakers(
    rows: Iterable[Row], *, single_use: Callable[[str], bool], unreported: Mapping[str, int], now: datetime
) -> dict[str, Breaker]:
    """Return the lanes whose breaker is open.

    With `single_use` a provider revokes the grant when a redeemed refresh token is sent again. `unreported` counts the
    runs of earlier minutes that have not reported, by lane.
    """
    providers: dict[str, dict[str, list[Row]]] = {}
    for lane, its in by_host(rows).items():
        providers.setdefault(provider_in(lane), {})[lane] = its
    found: dict[str, Breaker | None] = {}
    for provider, hosts in providers.items():
        single = single_use(provider)
        for lane, its in hosts.items():
            found[lane] = _breaker(its, unreported.get(lane, 0), now, single_use=single, of_host=True)
        if len(hosts) > 1:
            its = [row for lane, of_host in hosts.items() if found[lane] is None for row in of_host]
            found[provider] = _breaker(its, unreported.get(provider, 0), now, single_use=single, of_host=False)
    return {lane: breaker for lane, breaker in found.items() if breaker is not None}


def runs_allowed(rows: Iterable[Row], now: datetime) -> dict[str, float]:
    """Say how many runs may be under way in each lane that has succeeded lately; one without starts with `STEP`."""
    recent = (row for row in rows if row.sent and row.sent.error_type is None and row.sent.at > now - RECENTLY)
    successes = Counter(lane for row in recent for lane in lanes_of(row))
    return {lane: math.inf if count >= RUN_IN else STEP + STEP * count for lane, count in successes.items()}


def _runs(rows: Iterable[Row], now: datetime) -> list[LastRequest]:
    """Return the last runs that sent something, newest first."""
    sent = (row.sent for row in rows)
    return sorted((run for run in sent if run and run.at > now - RUNS_REMEMBERED), key=lambda run: run.at, reverse=True)


def _breaker(rows: Sequence[Row], unreported: int, now: datetime, *, single_use: bool, of_host: bool) -> Breaker | None:
    runs = [run for run in _runs(rows, now) if of_host or run.failures <= 1]
    # Without the tries of rejected grants: what is dead says nothing about the living.
    first = [run for run in runs if run.failures <= 1]
    in_a_row = [run.at for run in takewhile(lambda run: run.error_type == REJECTED, first)]
    nothing_taken = _is_burst(in_a_row, BURST) and in_a_row[0] - in_a_row[-1] >= RECENTLY
    # It rejects whatever comes, or it rejected many, and then took one of them.
    errs = nothing_taken or (has_revived(rows, now) and burst_of_rejected(rows, now))
    # After so many responses in a row, tries among them, it has stopped.
    if errs and not _in_a_row(runs, RESPONDED, RUNS):
        allowed = _allowed(BreakerReason.REJECTED_GRANTS, first, now)
        return Breaker(reason=BreakerReason.REJECTED_GRANTS, allowed=allowed)
    if reason := (_failing_host if of_host else _failing_provider)(runs, single_use=single_use):
        return Breaker(reason=reason, allowed=_allowed(reason, runs, now))
    succeeded = sum(run.error_type in RESPONDED and run.at > now - SILENT_TIME for run in runs)
    silent = unreported >= (SILENT_RUNS if not succeeded else max(MANY_SILENT_RUNS, 2 * succeeded))
    return Breaker(reason=BreakerReason.SILENT, allowed=0) if silent else None


def _failing_host(runs: Sequence[LastRequest], *, single_use: bool) -> BreakerReason | None:
    # In order of the danger: unknown outcomes may each cost a grant, so three suffice.
    if single_use and _in_a_row(runs, _UNKNOWN, UNKNOWN_IN_A_ROW):
        return BreakerReason.UNKNOWN_OUTCOMES
    for errors, reason in _REASONS:
        # In a row, too: a host that was good a minute ago has many successes among its last runs.
        in_a_row = _in_a_row(runs, errors, FEWEST_RUNS)
        if in_a_row or (len(runs) >= FEWEST_RUNS and _percent(runs[:RUNS], errors) >= 50):  # noqa: PLR2004 - half
            return reason
    return None


def _failing_provider(runs: Sequence[LastRequest], *, single_use: bool) -> BreakerReason | None:
    # Never in a row: of the runs of one minute, those at dead hosts end last.
    newest = [run for run in runs if run.at > runs[0].at - MINUTES_OF_PROVIDER]
    last = runs[: max(RUNS, len(newest))]
    if len(last) < FEWEST_OF_PROVIDER:
        return None
    reasons = ((_UNKNOWN, BreakerReason.UNKNOWN_OUTCOMES), *_REASONS) if single_use else _REASONS
    return next((reason for errors, reason in reasons if _percent(last, errors) >= PERCENT_OF_PROVIDER), None)


def _in_a_row(runs: Sequence[LastRequest], ends: Collection[str | None], count: int) -> bool:
    return len(runs) >= count and all(run.error_type in ends for run in runs[:count])


def _percent(runs: Sequence[LastRequest], errors: Collection[str]) -> float:
    return 100 * sum(run.error_type in errors for run in runs) / len(runs)


def burst_of_rejected(rows: Sequence[Row], now: datetime) -> list[Row]:
    """Return a host's rejected grants, if more died in ten minutes of the last two hours than single customers revoke.

    A tenant may have taken them back, or the provider errs: a try finds out, unless the host was busy.
    """
    dead = [row for row in rows if not row.is_living and row.sent and row.sent.error_type in {REJECTED, BUSY}]
    since = sorted((row.seen.since for row in dead if row.seen and row.seen.since > now - BURST_TRIED), reverse=True)
    return dead if _is_burst(since, max(BURST, len(rows) // 100)) else []


def rejecting_lanes(rows: Iterable[Row], now: datetime) -> set[str]:
    """Return the lanes in which more grants were rejected in the last ten minutes than taken."""
    recent = ((row, row.sent) for row in rows if row.sent and row.sent.at > now - BURST_TIME)
    runs = [(lane, run) for row, run in recent for lane in lanes_of(row)]
    took = Counter(lane for lane, run in runs if run.error_type is None)
    rejected = Counter(lane for lane, run in runs if run.error_type == REJECTED and run.failures == 1)
    return {lane for lane, count in rejected.items() if count > took[lane]}


def has_revived(rows: Iterable[Row], now: datetime) -> bool:
    """Whether a host took a grant in the last hour that it had rejected, and nobody seems to have authorized again."""
    good = ((row.seen, row.sent.at) for row in rows if row.seen and row.sent and row.sent.failures == 0)
    return any(seen.mended == REJECTED and seen.mended_at == at and at > now - RUNS_REMEMBERED for seen, at in good)


def _is_burst(times: Sequence[datetime], most: int) -> bool:
    """Whether more than `most` of the times, which come newest first, are within ten minutes."""
    # Of each time and the one so many places after it: where these two are near, so are all between them.
    return any(latest - earliest <= BURST_TIME for latest, earliest in zip(times, times[most:], strict=False))


def _allowed(reason: BreakerReason, runs: Sequence[LastRequest], now: datetime) -> int:
    responded = len(list(takewhile(lambda run: run.error_type in RESPONDED, runs)))
    if responded:
        return STEP * responded
    # A short failure is over soon; a host that has been dead for long gets few requests.
    succeeded_at = next((run.at for run in runs if run.error_type is None), runs[-1].at)
    pause = max(PAUSES[reason], min((now - succeeded_at) / 3, LONGEST_SILENCE))
    # Counted from the newest run, so a probe that fails restarts the pause.
    return 1 if now >= runs[0].at + pause else 0
