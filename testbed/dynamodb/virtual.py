"""DynamoDB on a virtual clock: one table with its index, latency, lag and faults, for the product's own adapters."""

import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from botocore.exceptions import ClientError

from testbed.aws.errors import ServiceError
from testbed.dynamodb.expressions import Item, updated

CALL_SECONDS = 0.01
PAGE_ITEMS = 2_000
"""About a megabyte of rows."""
KEY = "secret_arn"


class TableClock(Protocol):
    """What the table needs of a clock."""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""

    @property
    def now(self) -> datetime:
        """The time of day."""

    def sleep_in_job(self, seconds: float) -> None:
        """Let a call take its time."""


class _Meta:
    region_name = "eu-central-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFault:
    """Writes that fail for a while."""

    begins: float
    ends: float
    share: float = 1.0
    """Of the writes in this time."""


@dataclass(slots=True)
class VirtualDynamoDb:
    """What the product's adapters take for a client of DynamoDB."""

    clock: TableClock
    chance: random.Random
    items: dict[str, Item] = field(default_factory=dict)
    faults: list[TableFault] = field(default_factory=list)
    lag_seconds: float = 0.5
    """How far the index is behind the table when all is well."""
    lag: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Seconds from and to which the index is behind, and by how many."""
    failed: int = 0
    page_items: int = PAGE_ITEMS
    whole_batches: bool = True
    """False: it leaves half of a batch's keys unread, as a throttled table may."""
    _listings: dict[str, dict[str, Item]] = field(default_factory=dict)
    _to_come: deque[tuple[float, str, Item]] = field(default_factory=deque)
    meta: ClassVar = _Meta

    def get_item(self, **what: Any) -> dict[str, Any]:
        """Read one item, consistently."""
        self._begin("GetItem")
        found = self.items.get(what["Key"][KEY]["S"])
        return self._response({} if found is None else {"Item": found})

    def batch_get_item(self, **what: Any) -> dict[str, Any]:
        """Read several items, consistently."""
        self._begin("BatchGetItem")
        ((table, wanted),) = what["RequestItems"].items()
        unread, read = split_batch(wanted["Keys"]) if not self.whole_batches else ([], wanted["Keys"])
        names = [key[KEY]["S"] for key in read]
        found = [self.items[name] for name in names if name in self.items]
        left = {table: {**wanted, "Keys": unread}} if unread else {}
        return self._response({"Responses": {table: found}, "UnprocessedKeys": left})

    def update_item(self, **what: Any) -> dict[str, Any]:
        """Write one item, if its condition holds."""
        self._begin("UpdateItem", writes=True)
        name = what["Key"][KEY]["S"]
        before = self.items.get(name)
        try:
            item = updated(before, what)
        except ServiceError as error:
            raise _refusal("UpdateItem", error.code, error.message) from None
        self.put(item)
        return self._response({"Attributes": before if what.get("ReturnValues") == "ALL_OLD" else item})

    def query(self, **what: Any) -> dict[str, Any]:
        """Read a page of the index, which is behind."""
        self._begin("Query")
        self._catch_up()
        listed = list(self._listings.get(what["ExpressionAttributeValues"][":fleet"]["S"], {}).values())
        start = int(what.get("ExclusiveStartKey", {KEY: {"S": "0"}})[KEY]["S"])
        end = start + what.get("Limit", self.page_items)
        more = {"LastEvaluatedKey": {KEY: {"S": str(end)}}} if end < len(listed) else {}
        return self._response({"Items": listed[start:end], **more})

    def put(self, item: Item, *, at_once: bool = False) -> None:
        """Store an item; the index follows later, or `at_once`."""
        name = item[KEY]["S"]
        before, self.items[name] = self.items.get(name), item
        if "fleet" not in item and not (before and "fleet" in before):
            return
        begins, ends, seconds = self.lag
        lag = seconds if begins <= self.clock.seconds < ends else self.lag_seconds
        self._to_come.append((self.clock.seconds + (0 if at_once else lag), name, item))
        if at_once:
            self._catch_up()

    def put_all(self, items: Iterable[Item]) -> None:
        """Store items before the benchmark begins."""
        for item in items:
            self.put(item, at_once=True)

    def clear(self) -> None:
        """Delete everything."""
        self.items.clear()
        self._listings.clear()
        self._to_come.clear()

    def _catch_up(self) -> None:
        # In order: what was written after a long lag is shown after what was written in it.
        while self._to_come and self._to_come[0][0] <= self.clock.seconds:
            _, name, item = self._to_come.popleft()
            listing = item.get("fleet", {}).get("S")
            for other, listed in self._listings.items():
                if other != listing:
                    listed.pop(name, None)
            if listing is not None:
                self._listings.setdefault(listing, {})[name] = item

    def _begin(self, operation: str, *, writes: bool = False) -> None:
        self.clock.sleep_in_job(CALL_SECONDS)
        for fault in self.faults if writes else ():
            if fault.begins <= self.clock.seconds < fault.ends and self.chance.random() < fault.share:
                self.failed += 1
                raise _refusal(operation, "InternalServerError", "Internal server error", status=500)

    def _response(self, members: dict[str, Any]) -> dict[str, Any]:
        date = _http_date(self.clock.now.replace(microsecond=0))
        return {**members, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}


def split_batch(keys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the keys that a table leaves unread, the first ones, and those that it reads, the last one first."""
    half = len(keys) // 2
    return list(keys[:half]), list(keys[: half - 1 if half else None : -1])


@lru_cache(maxsize=8)
def _http_date(now: datetime) -> str:
    return format_datetime(now, usegmt=True)


def _refusal(operation: str, code: str, text: str, *, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)
