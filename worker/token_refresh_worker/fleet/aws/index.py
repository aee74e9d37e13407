"""The index of one fleet in a DynamoDB table. See `items` for what it holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from token_refresh.aws.responses import member, service_time
from token_refresh.errors import TableUnavailable
from token_refresh_worker.adapters.table import Table
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.core.breaker import STORE, Breaker, StoreHealth
from token_refresh_worker.fleet.core.enrolment import TOMBSTONE_LIFE, Tombstone
from token_refresh_worker.fleet.core.fleet import LEASE, MEMORY, DispatchedMessage, LastDispatch
from token_refresh_worker.fleet.core.row import AHEAD, Change, Pause, Pauses, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLOCK_TICK: Final = timedelta(seconds=1)
"""AWS gives the time in whole seconds, so the order of two runs this close is unknown: the later report counts."""

INDEX: Final = "fleet"
"""The global secondary index over `fleet`: all rows, and no claims."""

_IS_MEMBER: Final = "fleet = :fleet"
_MINUTE: Final = 60
ROWS_AT_ONCE: Final = 100
"""How many items one call reads;
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html."""
_BATCHES: Final = 10
"""How many calls one batch may take; a table that is not throttled needs one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What the index says about one secret."""

    row: Row
    pauses: Pauses
    breakers: frozenset[str] = frozenset()
    """The hosts and providers whose breaker is open."""
    store: StoreHealth = field(default_factory=StoreHealth)
    """What the workers noted about Secrets Manager."""
    read_at: datetime
    """By the clock of DynamoDB."""


class TableIndex:
    """The rows of one fleet, its pauses, and what was handed out in the last minutes.

    Every method raises a `TokenRefreshError` if the table refuses or can't be reached.
    """

    def __init__(self, client: "DynamoDBClient", table: str, fleet: str) -> None:
        self._table = Table(client, table, kind="fleet table")
        self._fleet = fleet

    def rows(self) -> Iterator[Row]:
        """Read all rows, with as few calls as there are megabytes; changes of the last minutes may be missing."""
        yield from (items.read_row(item, now) for item, now in self._all_items(self._fleet))

    def read_again(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Read these rows as they are now, in any order, without those that have left the fleet."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            found, now = self._get(*(("row", row.secret_arn) for row in rows[start : start + ROWS_AT_ONCE]))
            yield from (items.read_row(item, now) for item in found if self._is_member(item))

    def tombstones(self) -> Iterator[Tombstone]:
        """Read the secrets that left within a week, and some that left earlier."""
        yield from (items.read_tombstone(item) for item, _ in self._all_items(items.left(self._fleet)))

    def read_clock(self) -> datetime:
        """Read the time by the table's clock, which decides what is due; this machine's may be wrong."""
        *_, now = self._table.call("Query", {**_listing(self._fleet), "Limit": 1}, _read_page)
        return now

    def pauses(self) -> Pauses:
        """Read the pauses of the fleet and of its providers."""
        (item,), _ = self._get(("fleet", self._fleet))
        return items.read_pauses(item)

    def entry(self, secret_arn: str) -> IndexEntry | None:
        """Read one secret's row, pauses and open breakers, consistently; None if the secret is not in the fleet."""
        # Not the claims: they are an item of their own, which the run reads and locks itself.
        fleet = self._fleet
        wanted = self._get(("row", secret_arn), ("fleet", fleet), ("breakers", fleet), ("store", fleet))
        (row, pauses, breakers, store), now = wanted
        if not self._is_member(row):
            return None
        return IndexEntry(
            row=items.read_row(row, now),
            pauses=items.read_pauses(pauses),
            # The workers look at what they noted about the store themselves.
            breakers=frozenset(items.read_dispatch(breakers, now).breakers) - {STORE},
            store=items.read_store(store),
            read_at=now,
        )

    def report(self, row: Row, *, over: Row | None = None) -> bool:
        """Store what a run left.

        False if a newer run has reported, or the secret has left the fleet; with `over` also if any run has reported
        since that row was read. A pause that is not in that row yet is stored, too, unless the secret was made due
        since it was read: `resume` does that, and then this is False as well.
        """
        values, due, condition = items.report_values(row, prefix=":"), {}, _IS_MEMBER
        if over is not None and row.pause is not None and row.pause != over.pause:
            values |= {f":{items.PAUSE}": {"S": items.write_pause(row.pause)}}
            due = {":due": {"N": items.seconds(over.next_at)}}
            condition += " AND next_at = :due"
        changes = ", ".join(f"{name[1:]} = {name}" for name in values)
        if over is not None and over.seen is not None:
            condition += " AND ran_at = :read"
            values |= {":read": {"N": items.seconds(over.seen.at)}}
        elif over is not None:
            condition += " AND attribute_not_exists(ran_at)"
        at = row.seen.at if row.seen else row.added_at
        # A time that no run can have had is a broken one, and so is a text: both would lock the row forever.
        newer = "attribute_type(ran_at, :number) AND ran_at > :newest AND ran_at < :latest"
        return self._update_member(
            row.secret_arn,
            f"SET {changes}",
            f"{condition} AND NOT ({newer})",
            {
                **values,
                **due,
                ":number": {"S": "N"},
                ":newest": {"N": items.seconds(at + CLOCK_TICK)},
                ":latest": {"N": items.seconds(at + AHEAD)},
            },
        )

    def announced(self, secret_arn: str, change: Change) -> None:
        """Remember that the bus took the event of a change."""
        self._update_member(secret_arn, "DELETE unsent :it", _IS_MEMBER, {":it": items.write_changes([change])})

    def add(self, row: Row) -> bool:
        """Add a row; False if the secret has one. Of one that left, what was seen, paused and to be sent comes back."""
        item = {name: value for name, value in items.write_row(row, self._fleet).items() if name != items.KEY}
        anew = {name: f":{name}" for name in ("fleet", "added_at", "next_at")}
        changes = ", ".join(f"{name} = {anew.get(name, f'if_not_exists({name}, :{name})')}" for name in item)
        # An item without the fleet's name is in no listing of its rows, and would keep the secret out forever.
        return self._update_member(
            row.secret_arn,
            f"SET {changes} REMOVE left_at, quietly, gone_at",
            f"NOT {_IS_MEMBER}",
            {f":{name}": value for name, value in item.items()},
        )

    def look_at(self, secret_arn: str, now: datetime) -> bool:
        """Make a secret due; False if it is not in the fleet."""
        return self._update_member(secret_arn, "SET next_at = :now", _IS_MEMBER, {":now": {"N": items.seconds(now)}})

    def remove(self, secret_arn: str, now: datetime, *, quietly: bool) -> Row | None:
        """Turn a row into a tombstone, or `quietly` a tombstone into a quiet one that left now, without a pause.

        The secret and its claims stay, and a pause in its claims. Returns the row as it was; None if there is neither.
        """
        values = {
            ":fleet": {"S": self._fleet},
            ":left": {"S": items.left(self._fleet)},
            ":now": {"N": items.seconds(now)},
            ":quietly": {"BOOL": quietly},
            ":gone": {"N": str(int((now + TOMBSTONE_LIFE).timestamp()))},
        }
        # A resync may have seen that the tag is gone before the command that took it off came to the row.
        condition = f"{_IS_MEMBER} OR fleet = :left" if quietly else _IS_MEMBER
        update = "SET fleet = :left, left_at = :now, quietly = :quietly, gone_at = :gone"
        what = {
            "Key": items.key("row", secret_arn),
            "UpdateExpression": f"{update} REMOVE {items.PAUSE}" if quietly else update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_OLD",
        }
        was: list[Row] = []
        self._table.write("UpdateItem", what, lambda response: was.append(items.read_row(response["Attributes"], now)))
        return was[0] if was else None

    def pause(self, pause: Pause | None, *, secret_arn: str | None = None, provider: str | None = None) -> bool:
        """Pause one secret, one provider or the fleet, or resume it; False if the secret is not in the fleet."""
        # An empty name must not mean the whole fleet.
        name = items.PAUSE if provider is None else f"{items.PAUSE}:{provider}"
        update, values = "REMOVE #pause", {}
        if pause is not None:
            update, values = "SET #pause = :pause", {":pause": {"S": items.write_pause(pause)}}
        if secret_arn is not None:
            return self._update_member(secret_arn, update, _IS_MEMBER, values, names={"#pause": name})
        never_has = "attribute_not_exists(fleet)"
        return self._update(items.key("fleet", self._fleet), update, never_has, values, names={"#pause": name})

    def handed_out(self, now: datetime) -> dict[str, DispatchedMessage]:
        """Return what was handed out in the last 43 minutes, by the messages' IDs."""
        # One item a minute: a list that grows in one item would be read and written as a whole each time.
        newest = _minute(now)
        minutes = range(newest - int(MEMORY.total_seconds()) // _MINUTE, newest + 1)
        found, _ = self._get(*(("sent", f"{self._fleet}#{minute}") for minute in minutes))
        handed: dict[str, DispatchedMessage] = {}
        for minute, item in zip(minutes, found, strict=True):
            at = datetime.fromtimestamp(minute * _MINUTE, UTC)
            for name, group in items.read_message_groups(item).items():
                times = handed[name].times + 1 if name in handed else 1
                handed[name] = DispatchedMessage(at=at, group=group, times=times)
        return handed

    def remember(self, messages: Mapping[str, str], now: datetime) -> None:
        """Remember messages that were sent, and their groups, by their IDs."""
        # Twice as long as they are read, since DynamoDB deletes late and never early.
        gone_at = int((now + 2 * MEMORY).timestamp())
        values = {":ids": {"SS": items.write_message_groups(messages)}, ":gone": {"N": str(gone_at)}}
        its = items.key("sent", f"{self._fleet}#{_minute(now)}")
        self._update(its, "ADD ids :ids SET gone_at = :gone", None, values)

    def tell_breakers(
        self, breakers: Mapping[str, Breaker], now: datetime, *, unheard_since: datetime | None = None
    ) -> None:
        """Tell workers and operators which breakers are open: for five minutes, or until the next call."""
        told = items.write_dispatch(breakers, unheard_since)
        values = {":until": {"N": items.seconds(now + LEASE)}, ":told": {"S": told}}
        update = "SET open_until = :until, told = :told"
        self._update(items.key("breakers", self._fleet), update, None, values)

    def store(self) -> StoreHealth:
        """Read what the workers noted about Secrets Manager."""
        (item,), _ = self._get(("store", self._fleet))
        return items.read_store(item)

    def last_dispatch(self) -> LastDispatch:
        """Read what the last dispatcher reported."""
        (item,), now = self._get(("breakers", self._fleet))
        return items.read_dispatch(item, now)

    def note_refused(self, secret_arn: str) -> None:
        """Note that Secrets Manager refused a secret."""
        self._update(items.key("store", self._fleet), "ADD refused :one", None, {":one": {"SS": [secret_arn]}})

    def note_taken(self, now: datetime) -> None:
        """Note that Secrets Manager took a secret's new tokens."""
        update = "SET taken_at = :now REMOVE refused"
        self._update(items.key("store", self._fleet), update, None, {":now": {"N": items.seconds(now)}})

    def _all_items(self, listing: str) -> Iterator[tuple[items.Item, datetime]]:
        what = _listing(listing)
        while True:
            page, last, now = self._table.call("Query", what, _read_page)
            yield from ((item, now) for item in page if items.is_row(item))
            if last is None:
                return
            what = {**what, "ExclusiveStartKey": last}

    def _is_member(self, item: items.Item) -> bool:
        return item.get("fleet") == {"S": self._fleet}

    def _get(self, *wanted: tuple[items.Kind, str]) -> tuple[list[items.Item], datetime]:
        """Read several items consistently, in this order; one that is not there is empty."""

        def read(response: Any) -> tuple[dict[str, items.Item], Mapping[str, Any], datetime]:
            batch = {item[items.KEY]["S"]: item for item in response["Responses"].get(self._table.name, [])}
            return batch, response.get("UnprocessedKeys", {}), service_time(response)

        keys = [items.key(*each) for each in wanted]
        found: dict[str, items.Item] = {}
        left: Mapping[str, Any] = {self._table.name: {"Keys": keys, "ConsistentRead": True}}
        for _ in range(_BATCHES):
            batch, left, now = self._table.call("BatchGetItem", {"RequestItems": left}, read)
            found |= batch
            # DynamoDB may leave keys out of a batch, and calls that a success.
            if not left:
                return [found.get(key[items.KEY]["S"], {}) for key in keys], now
        # A run that went on until its function's timeout would hold up its group for minutes.
        where = f"fleet table {self._table.name} in {self._table.region}"
        raise TableUnavailable(f"dynamodb:BatchGetItem on {where} left items unread: it is throttled")

    def _update_member(
        self,
        secret_arn: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
        *,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        values = {**values, ":fleet": {"S": self._fleet}}
        return self._update(items.key("row", secret_arn), update, condition, values, names=names)

    def _update(
        self,
        key: Mapping[str, Any],
        update: str,
        condition: str | None,
        values: Mapping[str, Any],
        *,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        given = {
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        what = {"Key": key, "UpdateExpression": update, **{name: value for name, value in given.items() if value}}
        return self._table.write("UpdateItem", what)


def _listing(name: str) -> dict[str, Any]:
    return {
        "IndexName": INDEX,
        "KeyConditionExpression": "fleet = :fleet",
        "ExpressionAttributeValues": {":fleet": {"S": name}},
    }


def _read_page(page: Any) -> tuple[list[items.Item], Any, datetime]:
    return member(page, "Items", list), page.get("LastEvaluatedKey"), service_time(page)


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // _MINUTE
