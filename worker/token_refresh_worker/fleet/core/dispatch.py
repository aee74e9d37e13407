"""What the dispatcher hands out in this minute. The first rule that matches leaves a row for later.

    the row is not due                              wait for `next_at`, a day at most
    its secret, its provider or the fleet is paused   wait for the end of the pause
    it was handed out and has not reported          wait for the run, or for the end of the lease
    its provider's breaker is open                  a few runs, to see whether the provider is back
    its provider has half of the budget already     the other half is for the other providers' secrets
    its provider has more than its share under way  it gets what the others leave
    its provider's own rate is used up              wait for the next minute
    the budget of this minute is used up            wait for the next minute
    anything else                                   hand it out, earliest expiry first

The budget is a share of what Secrets Manager writes in a minute, less what earlier minutes handed out and nobody has
reported on: the queue holds about a minute's work, and a write quota that others use up slows it down.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from token_refresh_worker.fleet.core.breaker import Breaker, breaker_of
from token_refresh_worker.fleet.core.pace import SECONDS, pace
from token_refresh_worker.fleet.core.row import Pauses, Row, State, is_due, pause_of

LEASE: Final = timedelta(minutes=5)
"""How long a message may be under way. SQS drops a second message with the same ID for as long."""

FEWEST_SHARDS: Final = 4

SHARDS_PER_RUN: Final = 1.5
"""Shards drain unevenly: with as many as there are runs at once, some runs would have nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a fleet."""

    writes_per_second: float = 40.0
    """80 % of the quota that `PutSecretValue` and `UpdateSecretVersionStage` share; other teams write, too."""
    writes_a_run: int = 2
    concurrency: int = 16
    """`MaximumConcurrency` of the queue's event source."""

    @property
    def runs_a_minute(self) -> int:
        """How many refreshes fit into the budget."""
        return int(self.writes_per_second * 60 / self.writes_a_run)

    @property
    def most_shards(self) -> int:
        """How many runs one provider may have at once: a quarter of them is always left to the others."""
        return max(1, self.concurrency * 3 // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLimits:
    """What the dispatcher needs to know of a provider."""

    single_use: bool = True
    runs_per_second: float | None = None
    """The provider's own limit of token requests; None where it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All that a decision depends on, beside the time."""

    rows: Sequence[Row]
    pauses: Pauses = field(default_factory=Pauses)
    handed_out: Collection[str] = frozenset()
    """IDs of the messages of the last five minutes."""
    providers: Mapping[str, ProviderLimits] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One run to start."""

    message_id: str
    """Also the queue's deduplication ID."""
    secret_arn: str
    group: str
    """Provider and shard: one run at a time in each group, so a provider has as many runs as it has shards."""
    probe: bool = False
    """Whether it is to run although its provider's breaker is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one minute brings."""

    seconds: Sequence[Sequence[Message]]
    """The messages to send in each second from now on."""
    breakers: Mapping[str, Breaker]
    under_way: int
    """Runs of earlier minutes that have not reported."""
    waiting: int
    """Due secrets that this minute leaves for the next."""

    @property
    def messages(self) -> list[Message]:
        """All messages, in order."""
        return [message for second in self.seconds for message in second]


def decide(fleet: Fleet, now: datetime) -> Decision:
    """Choose what to hand out in this minute."""
    breakers = open_breakers(fleet, now)
    due = [row for row in fleet.rows if is_due(row, now)]
    under_way = Counter(row.provider for row in due if message_id(row) in fleet.handed_out)
    # `next_at` is a part of the ID, so a run that has reported is under way no longer.
    ready = sorted(
        (row for row in due if message_id(row) not in fleet.handed_out and pause_of(row, fleet.pauses, now) is None),
        # What no run has read yet may expire at any moment, so it counts as expiring now.
        key=lambda row: (row.provider in breakers and sends_nothing(row, now), row.expires_at or now),
    )
    chosen = _choose(fleet, _within_rates(fleet, ready, now), under_way, breakers)
    paced = pace(
        [row.provider for row in chosen],
        per_minute=fleet.limits.runs_a_minute,
        rates={row.provider: limits_of(fleet, row.provider).runs_per_second for row in chosen},
    )
    shards = _shards(fleet.limits, under_way + Counter(row.provider for row in chosen))
    seconds = [[_message(chosen[n], shards, breakers) for n in second] for second in paced]
    return Decision(
        seconds=seconds,
        breakers=breakers,
        under_way=under_way.total(),
        waiting=len(ready) - sum(len(second) for second in seconds),
    )


def open_breakers(fleet: Fleet, now: datetime) -> dict[str, Breaker]:
    """Give the providers whose breaker is open."""
    by_provider: dict[str, list[Row]] = {}
    for row in fleet.rows:
        by_provider.setdefault(row.provider, []).append(row)
    return {
        provider: breaker
        for provider, rows in by_provider.items()
        if (breaker := breaker_of(rows, single_use=limits_of(fleet, provider).single_use, now=now)) is not None
    }


def message_id(row: Row) -> str:
    """Name the run that a row asks for: each run moves `next_at`, so the next one has another ID."""
    # To the millisecond: the table holds microseconds, and a float's last digits may differ after the way through it.
    name = f"{row.secret_arn}|{row.next_at.timestamp():.3f}"
    return urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:9]).decode()


def limits_of(fleet: Fleet, provider: str) -> ProviderLimits:
    """Return a provider's limits; an unknown one counts as single use without a rate."""
    return fleet.providers.get(provider, ProviderLimits())


def sends_nothing(row: Row, now: datetime) -> bool:
    """Whether a run on the secret would find what the last one found, and show nothing about its provider."""
    if row.seen is None:
        return False
    quarter = row.last_quarter_at
    held = row.seen.state is State.HELD and quarter is not None and now < quarter
    return held or row.seen.state in {State.REAUTHORIZE, State.EMPTY}


def _within_rates(fleet: Fleet, ready: Sequence[Row], now: datetime) -> list[Row]:
    """Leave out what a provider would not accept in this minute: it must not take a part of the budget."""
    asked = Counter[str]()
    within = []
    for row in ready:
        rate = limits_of(fleet, row.provider).runs_per_second
        asked[row.provider] += 1
        if rate is None or asked[row.provider] <= _runs_in_minute(rate, now):
            within.append(row)
    return within


def _runs_in_minute(rate: float, now: datetime) -> int:
    minute = int(now.timestamp()) // 60
    # Counted from the epoch, so that one an hour is one in some minute of each hour.
    by_rate = int((minute + 1) * 60 * rate) - int(minute * 60 * rate)
    return min(by_rate, ceil(SECONDS * rate))  # `pace` leaves the last seconds of a minute free


def _choose(
    fleet: Fleet, ready: Sequence[Row], under_way: Mapping[str, int], breakers: Mapping[str, Breaker]
) -> list[Row]:
    """Take rows in order while the budget lasts. Half of it is for each provider; what is left then goes to anyone."""
    budget = fleet.limits.runs_a_minute
    # What an open breaker holds back moves slowly in groups of its own and must not eat the others' budget.
    unreported = {provider: n for provider, n in under_way.items() if provider not in breakers}
    # Nor must what a slow provider holds up: beyond its fair share it counts against this provider alone.
    share = budget // max(1, len(unreported.keys() | {row.provider for row in ready}))
    left = budget - sum(min(n, share) for n in unreported.values())
    taken = Counter(under_way)
    chosen: list[Row] = []
    postponed: list[Row] = []
    for row in ready:
        if len(chosen) >= left:
            break
        if row.provider in breakers and taken[row.provider] >= breakers[row.provider].allowed:
            continue
        has_its_part = taken[row.provider] >= budget // 2 or unreported.get(row.provider, 0) > share
        taken[row.provider] += 1
        (postponed if has_its_part else chosen).append(row)
    return chosen + postponed[: max(0, budget - sum(unreported.values()) - len(chosen))]


def _shards(limits: Limits, runs: Mapping[str, int]) -> dict[str, int]:
    """Give each provider as many shards as its part of this minute's runs, and never fewer than four."""
    total = sum(runs.values())
    # In a minute with few runs a share says little, and one slow secret would hold up all others of its provider.
    fewest = min(FEWEST_SHARDS, limits.most_shards)
    return {
        provider: min(limits.most_shards, max(fewest, ceil(SHARDS_PER_RUN * limits.concurrency * count / total)))
        for provider, count in runs.items()
        if count
    }


def _message(row: Row, shards: Mapping[str, int], breakers: Collection[str]) -> Message:
    # By the secret alone, so that within a minute's number of shards a secret never runs in two groups.
    shard = int.from_bytes(hashlib.sha256(row.secret_arn.encode()).digest()[:4]) % shards[row.provider]
    return Message(
        message_id=message_id(row),
        secret_arn=row.secret_arn,
        group=f"{row.provider}-{shard}",
        probe=row.provider in breakers,
    )
