"""A fleet's index, queue and bus in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from threading import Lock
from typing import Any

from testbed.builders import NOW
from testbed.dynamodb.virtual import VirtualDynamoDb
from token_refresh_worker.core.announcement import Announcement
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.fleet import Message
from token_refresh_worker.fleet.core.row import Row

FLEET = "prod"


@dataclass(frozen=True, slots=True)
class TableClock:
    """A clock of a table whose calls take no time: it stands still, or is the machine's."""

    still: datetime | None = None
    seconds: float = 0.0

    @property
    def now(self) -> datetime:
        return self.still or datetime.now(UTC)

    def sleep_in_job(self, seconds: float) -> None:
        del seconds


def table_in_memory(clock: TableClock) -> VirtualDynamoDb:
    """A table that leaves keys of a batch unread, and whose pages hold two rows."""
    return VirtualDynamoDb(clock, Random(1), lag_seconds=0.0, page_items=2, whole_batches=False)  # noqa: S311 - no secret


class CommandsTable:
    """What commands take for a client of DynamoDB: a table in memory with its tags, for several threads."""

    def __init__(self) -> None:
        self.table = table_in_memory(TableClock())
        self.meta, self.tags = self.table.meta, list[dict[str, str]]()
        self._lock = Lock()

    def describe_table(self, **what: str) -> dict[str, Any]:
        return {"Table": {"TableArn": what["TableName"]}}

    def list_tags_of_resource(self, **_: str) -> dict[str, Any]:
        return {"Tags": self.tags}

    def __getattr__(self, name: str) -> Any:
        def call(**members: Any) -> Any:
            with self._lock:
                return getattr(self.table, name)(**members)

        return call


class MemoryIndex(TableIndex):
    """The real index, on a table in memory, and never behind it; the table's clock says `now`."""

    def __init__(self, *members: Row, now: datetime = NOW) -> None:
        table: Any = table_in_memory(TableClock(now))
        super().__init__(table, "fleet", FLEET)
        table.put_all(items.write_row(member, FLEET) for member in members)


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
    """Implements the port `SendEvent`; `error` is raised by the next event."""

    sent: list[Announcement] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, announcement: Announcement) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.sent.append(announcement)
