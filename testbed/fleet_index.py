"""An index and a queue in memory, for tests and the benchmark; test_index.py holds the index to the real one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from testbed.builders import NOW
from token_refresh_worker.core.announcement import Announcement
from token_refresh_worker.fleet.core.breaker import StoreHealth
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import LEASE, MEMORY, Handed, Message
from token_refresh_worker.fleet.core.row import AHEAD, Change, Pause, Pauses, Row
from token_refresh_worker.fleet.ports import CLOCK_TICK, IndexEntry


@dataclass(slots=True)
class MemoryIndex:
    """Implements the port `Index`."""

    by_arn: dict[str, Row] = field(default_factory=dict)
    paused: Pauses = field(default_factory=Pauses)
    sent: list[tuple[datetime, dict[str, str]]] = field(default_factory=list)
    now: datetime = NOW
    stones: dict[str, Tombstone] = field(default_factory=dict)
    left: dict[str, Row] = field(default_factory=dict)
    told: tuple[datetime, frozenset[str]] = (NOW, frozenset())
    health: StoreHealth = field(default_factory=StoreHealth)

    def rows(self) -> Iterator[Row]:
        return iter(list(self.by_arn.values()))

    def read_again(self, rows: Sequence[Row]) -> Iterator[Row]:
        return iter([self.by_arn[row.secret_arn] for row in rows if row.secret_arn in self.by_arn])

    def read_clock(self) -> datetime:
        return self.now

    def pauses(self) -> Pauses:
        return self.paused

    def entry(self, secret_arn: str) -> IndexEntry | None:
        row = self.by_arn.get(secret_arn)
        told_at, breakers = self.told
        breakers = breakers if self.now < told_at + LEASE else frozenset()
        if row is None:
            return None
        return IndexEntry(row=row, pauses=self.paused, breakers=breakers, store=self.health, read_at=self.now)

    def report(self, row: Row, *, over: Row | None = None) -> bool:
        stored = self.by_arn.get(row.secret_arn)
        if (
            stored is None
            or (over is not None and stored.seen != over.seen)
            or row.seen is None
            or (stored.seen and row.seen.at + CLOCK_TICK < stored.seen.at < row.seen.at + AHEAD)
        ):
            return False
        left = replace(stored, seen=row.seen, next_at=row.next_at, provider=row.provider)
        self.by_arn[row.secret_arn] = replace(left, unsent=row.unsent or stored.unsent)
        return True

    def announced(self, secret_arn: str, change: Change) -> None:
        if secret_arn in self.by_arn:
            row = self.by_arn[secret_arn]
            self.by_arn[secret_arn] = replace(row, unsent=row.unsent - {change})

    def add(self, row: Row) -> bool:
        if row.secret_arn in self.by_arn:
            return False
        self.stones.pop(row.secret_arn, None)
        left = self.left.pop(row.secret_arn, row)
        self.by_arn[row.secret_arn] = replace(left, added_at=row.added_at, next_at=row.next_at)
        return True

    def look_at(self, secret_arn: str, now: datetime) -> bool:
        if secret_arn not in self.by_arn:
            return False
        self.by_arn[secret_arn] = replace(self.by_arn[secret_arn], next_at=now)
        return True

    def remove(self, secret_arn: str, now: datetime, *, quietly: bool) -> Row | None:
        row = self.by_arn.pop(secret_arn, None) or (self.left.get(secret_arn) if quietly else None)
        if row is not None:
            self.left[secret_arn] = row
            stone = Tombstone(secret_arn=secret_arn, provider=row.provider, left_at=now, quietly=quietly)
            self.stones[secret_arn] = stone
        return row

    def tombstones(self) -> Iterator[Tombstone]:
        return iter(list(self.stones.values()))

    def pause(self, pause: Pause | None, *, secret_arn: str | None = None, provider: str | None = None) -> bool:
        if secret_arn is not None:
            if secret_arn not in self.by_arn:
                return False
            self.by_arn[secret_arn] = replace(self.by_arn[secret_arn], pause=pause)
        elif provider is not None:
            others = {name: other for name, other in self.paused.providers.items() if name != provider}
            self.paused = replace(self.paused, providers=others | ({provider: pause} if pause else {}))
        else:
            self.paused = replace(self.paused, fleet=pause)
        return True

    def handed_out(self, now: datetime) -> dict[str, Handed]:
        self.sent = [(at, messages) for at, messages in self.sent if at >= now - MEMORY]
        found: dict[str, Handed] = {}
        for at, messages in self.sent:
            for name, group in messages.items():
                found[name] = Handed(at=at, group=group, times=found[name].times + 1 if name in found else 1)
        return found

    def tell_breakers(self, lanes: Iterable[str], now: datetime) -> None:
        self.told = (now, frozenset(lanes))

    def remember(self, messages: Mapping[str, str], now: datetime) -> None:
        self.sent.append((now.replace(second=0, microsecond=0), dict(messages)))

    def store(self) -> StoreHealth:
        return self.health

    def dispatched_at(self) -> datetime | None:
        return None if self.told == (NOW, frozenset()) else self.told[0]

    def note_refused(self, secret_arn: str) -> None:
        self.health = replace(self.health, refused=self.health.refused | {secret_arn})

    def note_taken(self, now: datetime) -> None:
        self.health = StoreHealth(taken_at=now)


@dataclass(slots=True)
class MemoryQueue:
    """Its `send` implements the port `Send`."""

    messages: list[Message] = field(default_factory=list)
    refused: frozenset[str] = frozenset()

    def send(self, messages: Sequence[Message]) -> list[str]:
        taken = [message for message in messages if message.secret_arn not in self.refused]
        self.messages += taken
        return [message.message_id for message in taken]


@dataclass(slots=True)
class MemoryBus:
    """Implements the port `EventBus`; `error` is raised by the next event."""

    sent: list[Announcement] = field(default_factory=list)
    error: Exception | None = None

    def send(self, announcement: Announcement) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.sent.append(announcement)
