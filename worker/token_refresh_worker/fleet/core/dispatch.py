"""What the dispatcher hands out in this minute. The first rule that matches leaves a row for later.

    the row is not due                              wait for `next_at`, a day at most
    its secret, its provider or the fleet is paused   wait for the end of the pause
    it was handed out and has not reported          wait for the run, or for the end of the lease; longer each time
    Secrets Manager refuses                         two runs, to see whether it is back
    the breaker of its host or provider is open     a few runs, to see whether it is back
    its host or provider starts slowly              as many as have succeeded lately allow
    its host is busy                                as many as it takes; see `busy`
    its provider's own rate is used up              wait for the next minute
    its provider has half of the budget already     the other half is for the other providers' secrets
    its provider has more than its share under way  it gets what the others leave
    it failed, and half of this minute's had, too   it gets what the others leave
    the budget of this minute is used up            wait for the next minute
    anything else                                   hand it out: earliest expiry first, but see `_order`

The budget is a share of what Secrets Manager writes in a minute, less what earlier minutes handed out and nobody has
reported on: the queue holds about a minute's work, and a write quota that others use up slows it down.

A row whose host nobody knows is only read. It counts for a provider of its own, `unknown`.
"""

import hashlib
import math
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.fleet.core import breaker
from token_refresh_worker.fleet.core.busy import busy_hosts, earliest_seconds
from token_refresh_worker.fleet.core.fleet import (
    DOUBLINGS,
    FEW,
    FIRST_WAIT,
    MINUTE,
    Decision,
    DispatchedMessage,
    Fleet,
    Message,
    limits_of,
)
from token_refresh_worker.fleet.core.messages import RUNS_A_MINUTE, Pool, assign, pace
from token_refresh_worker.fleet.core.repair import minute_hash, tried_early
from token_refresh_worker.fleet.core.row import BUSY, UNKNOWN_PROVIDER, Row, State, is_due, pause_of_row

SILENT_AFTER: Final = 3 * MINUTE
RATE_SHARE: Final = 0.95
"""Of a provider's own rate. At the whole of it, one request that is refused and repeated makes others be refused."""


def decide(fleet: Fleet, now: datetime) -> Decision:
    """Choose what to hand out in this minute."""
    early = tried_early(fleet.rows, now)
    due = [(row, message_id(row)) for row in fleet.rows if row.secret_arn in early or is_due(row, now)]
    # `next_at` is a part of the ID, so a run that has reported is under way no longer.
    under_way = [(row, fleet.handed_out[its_id]) for row, its_id in due if _is_under_way(fleet, its_id, now)]
    # A run that never reported, again and again, says nothing about its provider.
    unreported = [row for row, handed in under_way if handed.times == 1]
    breakers = breaker.open_breakers(
        fleet.rows,
        single_use=lambda provider: limits_of(fleet, provider).single_use,
        # Nor does one that failed before.
        unreported=_count(row for row in unreported if not row.has_failed),
        now=now,
    )
    if fleet.store_refuses:
        probes = breaker.STORE_PROBES
        breakers[breaker.STORE] = breaker.Breaker(reason=breaker.BreakerReason.STORE_REFUSES, allowed=probes)
    rejecting = breaker.rejecting_lanes(fleet.rows, now)
    ready = sorted(
        (
            row
            for row, its_id in due
            if not _is_under_way(fleet, its_id, now) and pause_of_row(row, fleet.pauses, now) is None
        ),
        key=lambda row: _order(row, breakers, rejecting, now),
    )
    minute = _Minute(fleet, breakers, unreported, now)
    chosen = minute.choose(ready)
    paced = pace(
        [scheduled_under(row) for row in chosen],
        per_minute=fleet.limits.runs_a_minute,
        rates={provider: _rate(fleet, provider) for provider in map(scheduled_under, chosen)},
        earliest=earliest_seconds(chosen, minute.busy, now),
    )
    messages = _messages(fleet, [chosen[n] for second in paced for n in second], under_way, breakers, now)
    given = iter(messages)
    return Decision(
        seconds=[[next(given) for _ in second] for second in paced],
        breakers=breakers,
        under_way=len(under_way),
        waiting=len(ready) - len(messages),
        unheard_since=_unheard_since(fleet, (its_id for _, its_id in due), now),
    )


def _unheard_since(fleet: Fleet, due: Iterable[str], now: datetime) -> datetime | None:
    """Say since when no run has reported; None while the worker runs, as far as anybody can know.

    A breaker can't say so: it lets runs through now and then, and two runs of a small fleet open none.
    """
    handed = (fleet.handed_out.get(its_id) for its_id in due)
    unreported = [each.at for each in handed if each is not None and each.at <= now - SILENT_AFTER]
    # One or two secrets may kill their own function each time.
    if len(unreported) < min(FEW, len(fleet.rows)):
        return None
    reported = max((row.seen.at for row in fleet.rows if row.seen), default=None)
    since = max(unreported, default=None)
    return since if since is not None and (reported is None or reported < since) else None


def scheduled_under(row: Row) -> str:
    """Name the provider whose share and groups a row's run takes: a run that only reads takes nobody's."""
    return UNKNOWN_PROVIDER if row.host is None else row.provider


def message_id(row: Row) -> str:
    """Name the run that a row asks for: each run moves `next_at`, so the next one has another ID."""
    # To the millisecond: the table holds microseconds, and a float's last digits may differ after the way through it.
    name = f"{row.secret_arn}|{row.next_at.timestamp():.3f}"
    return urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:9]).decode()


def sends_nothing(row: Row, now: datetime) -> bool:
    """Whether a run on the secret would find what the last one found, and show nothing about its provider."""
    if row.seen is None:
        return False
    is_held = (
        row.seen.state is State.HELD and row.tokens.last_quarter_at is not None and now < row.tokens.last_quarter_at
    )
    return is_held or row.seen.state in {State.REAUTHORIZE, State.EMPTY}


def _is_under_way(fleet: Fleet, its_id: str, now: datetime) -> bool:
    """Whether to wait for a run that has not reported: twice as long after each time, since it may have crashed."""
    handed = fleet.handed_out.get(its_id)
    return handed is not None and now < handed.at + FIRST_WAIT * (1 << min(handed.times - 1, DOUBLINGS))


def _order(
    row: Row, breakers: Mapping[str, breaker.Breaker], rejecting: Collection[str], now: datetime
) -> tuple[int, timedelta]:
    """Return what rows are ordered by, the least first: a rank, and how soon it expires, with these exceptions."""
    rank = 0 if row.is_living else 1
    if breaker.holds_back(breakers, row):
        # What shows most; a tenant that failed alone may be dead, whatever becomes of the others.
        rank = 2 if sends_nothing(row, now) else int(row.is_retry)
    if row.sent and row.sent.error_type == BUSY and row.tokens.expires_at is not None and row.tokens.expires_at <= now:
        # In turn, and after those that expire within an hour: some of them may be refused each time.
        return rank, row.sent.at + breaker.RUNS_REMEMBERED - now
    if row.tokens.due_at is not None and any(lane in rejecting for lane in breaker.lanes_of(row)):
        # What came due last: a cohort of dead grants must not keep away the living that are due after it.
        return rank, abs(now - row.tokens.due_at)
    # What no run has read yet may expire at any moment, so it counts as expiring now.
    return rank, (row.tokens.expires_at or now) - now


class _Minute:
    """What one minute has room for."""

    def __init__(
        self, fleet: Fleet, breakers: Mapping[str, breaker.Breaker], under_way: Sequence[Row], now: datetime
    ) -> None:
        self._fleet, self._breakers, self._now = fleet, breakers, now
        self.busy = busy_hosts(fleet.rows, now)
        self._budget = fleet.limits.runs_a_minute
        self._taken = _count(under_way)
        # What failed before is the most urgent and shows no success: it would hold the places of all others.
        self._starting = {
            failed: _count(row for row in under_way if row.has_failed is failed) for failed in (False, True)
        }
        self._failing = 0
        self._rooms = breaker.runs_allowed(fleet.rows, now)
        self._asked = Counter[str]()
        # What an open breaker holds back moves slowly in groups of its own and must not eat the others' budget.
        self._unreported = Counter(scheduled_under(row) for row in under_way if not breaker.holds_back(breakers, row))

    def choose(self, ready: Sequence[Row]) -> list[Row]:
        """Take rows in order while the budget lasts. Half of it is for each provider, and what is left for anyone."""
        if breaker.STORE in self._breakers:
            return self._probes_of_store(ready)
        # What a slow provider holds up counts, beyond its fair share, against this provider alone.
        share = self._budget // max(1, len(self._unreported.keys() | {scheduled_under(row) for row in ready}))
        left = self._budget - sum(min(n, share) for n in self._unreported.values())
        chosen: list[Row] = []
        postponed: list[Row] = []
        last: list[Row] = []
        for row in ready:
            if len(chosen) >= left:
                break
            if not self._fits(row):
                continue
            provider = scheduled_under(row)
            has_its_part = self._taken[provider] >= self._budget // 2 or self._unreported[provider] > share
            self._taken.update(_places(row))
            self._starting[row.has_failed].update(_places(row))
            self._failing += row.has_failed
            # Broken secrets have expired, so they come first, and there may be thousands.
            if row.has_failed and self._failing > self._budget // 2:
                last.append(row)
            else:
                (postponed if has_its_part else chosen).append(row)
        return chosen + [*postponed, *last][: max(0, self._budget - self._unreported.total() - len(chosen))]

    def _probes_of_store(self, ready: Sequence[Row]) -> list[Row]:
        """Return one secret with tokens that wait to be stored, and one that Secrets Manager took last time, by lot."""
        by_lot = sorted(ready, key=lambda row: minute_hash(row, self._now))
        waiting = (row for row in by_lot if row.is_refused and not self._is_held_back(row))
        # One that is only read shows too little, but where there is no other, the next minute can refresh it.
        known_first = sorted(by_lot, key=lambda row: (row.host is None, row.has_failed))
        taken = (row for row in known_first if not row.is_refused and self._fits(row))
        return [row for row in (next(waiting, None), next(taken, None)) if row is not None]

    def _is_held_back(self, row: Row) -> bool:
        lanes = self._breakers.keys() & breaker.lanes_of(row)
        return any(self._taken[lane] >= self._breakers[lane].allowed for lane in lanes)

    def _fits(self, row: Row) -> bool:
        """Whether breakers, slow start, a busy host's share and the provider's rate let the row through."""
        # What the provider failed before has few groups, and takes no room from the others.
        starting = () if row.is_retry else (lane for lane in breaker.lanes_of(row) if lane not in self._breakers)
        if self._is_held_back(row) or any(
            self._starting[row.has_failed][lane] >= self._rooms.get(lane, breaker.STEP) for lane in starting
        ):
            return False
        provider, host = scheduled_under(row), "/".join(breaker.lanes_of(row)[1:])
        if self._asked[host] >= self.busy.get(host, math.inf):
            return False
        rate = _rate(self._fleet, provider)
        self._asked.update({provider, host})
        return rate is None or self._asked[provider] <= _runs_in_minute(rate, self._now)


def _places(row: Row) -> tuple[str, ...]:
    return breaker.lanes_of(row) or (UNKNOWN_PROVIDER,)


def _count(rows: Iterable[Row]) -> Counter[str]:
    """Count runs by lane, and those that only read as the unknown provider's."""
    return Counter(place for row in rows for place in _places(row))


def _rate(fleet: Fleet, provider: str) -> float | None:
    rate = limits_of(fleet, provider).runs_per_second
    return None if rate is None else rate * RATE_SHARE


def _runs_in_minute(rate: float, now: datetime) -> int:
    minute = int(now.timestamp()) // 60
    # Counted from the epoch, so that one an hour is one in some minute of each hour.
    return int((minute + 1) * 60 * rate) - int(minute * 60 * rate)


def _messages(
    fleet: Fleet,
    rows: Sequence[Row],
    under_way: Iterable[tuple[Row, DispatchedMessage]],
    breakers: Mapping[str, breaker.Breaker],
    now: datetime,
) -> list[Message]:
    load, failing = Counter[str](), Counter[str]()
    for _, handed in under_way:
        # What has not reported after a minute may hang.
        load[handed.group] += 1 if handed.at > now - 2 * MINUTE else RUNS_A_MINUTE
    for row in fleet.rows:
        failing[row.provider] += bool(row.sent and row.sent.failures == 1 and row.sent.at > now - breaker.RECENTLY)
    probes = [breaker.holds_back(breakers, row) for row in rows]
    ids = [message_id(row) for row in rows]
    pools = [
        Pool(scheduled_under(row), "failed" if probe or row.is_retry else "lost" if its_id in fleet.handed_out else "")
        for row, its_id, probe in zip(rows, ids, probes, strict=True)
    ]
    groups = assign(pools, concurrency=fleet.limits.concurrency, load=load, failing=failing)
    return [
        Message(message_id=its_id, secret_arn=row.secret_arn, group=group, probe=probe)
        for row, its_id, group, probe in zip(rows, ids, groups, probes, strict=True)
    ]
