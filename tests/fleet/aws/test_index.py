from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from builders import HOUR, MINUTE, NOW
from fleet.conftest import TABLE, Stub
from fleet.memory import MemoryIndex
from fleet.rows import arn, failed, pause, row, seen, unread
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.dispatch import LEASE, Fleet, decide
from token_refresh_worker.fleet.core.outcome import after
from token_refresh_worker.fleet.core.row import Pauses
from token_refresh_worker.fleet.ports import Index

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(params=["dynamodb", "memory"])
def index(request: pytest.FixtureRequest) -> Index:
    """The real index on DynamoDB in memory, and the fake that stands in for it."""
    if request.param == "memory":
        return MemoryIndex()
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    return TableIndex(client, TABLE, "prod")


@pytest.mark.parametrize(
    "stored",
    [
        row(new=True),
        row(found=seen(grant_ends_at=NOW + HOUR, grant_ending_at=NOW), pause=pause(), announced="Reauthorized"),
        row(found=failed("TokenEndpointUnavailable", at=NOW)),
        row(found=seen(expires_at=None, due_at=None)),
    ],
    ids=["new", "full", "failed", "no expiry"],
)
def test_a_row_comes_back_as_it_was_stored(index: Index, stored: object) -> None:
    """Every field of a row survives the table, times to the microsecond."""
    whole = replace(cast("Any", stored), next_at=NOW + MINUTE / 7)

    assert index.add(whole)
    assert [whole] == list(index.rows())
    entry = index.entry(whole.secret_arn)
    assert entry is not None
    assert (whole, Pauses()) == (entry.row, entry.pauses)


def test_adding_twice_changes_nothing(index: Index) -> None:
    """A row that is there stays as it is: neither what was seen nor a pause is lost."""
    index.add(row(pause=pause()))

    assert not index.add(row(new=True))
    assert [row(pause=pause())] == list(index.rows())


def test_a_late_report_never_replaces_a_newer_one(index: Index) -> None:
    """Of two runs the one that Secrets Manager's clock puts later stays; a repetition of the same report is stored."""
    index.add(row(new=True))
    late, newer = row(found=seen(at=NOW - MINUTE)), row(found=seen(at=NOW), provider="hubspot", next_at=NOW + HOUR)

    assert [True, False, True] == [index.report(report) for report in (newer, late, newer)]
    assert [newer] == list(index.rows())


def test_runs_within_a_second(index: Index) -> None:
    """Runs that the service's clock can't tell apart are taken in the order in which they report."""
    index.add(row(new=True))
    first, second = row(found=seen(at=NOW)), row(found=seen(at=NOW - MINUTE / 120, outcome="fresh"))

    assert [True, True] == [index.report(report) for report in (first, second)]
    assert [second] == list(index.rows())


def test_a_report_changes_nothing_else(index: Index) -> None:
    """A pause and an announcement that came while a run was under way stay."""
    index.add(row(new=True))
    index.pause(pause(), secret_arn=arn("tokens"))
    index.announced(arn("tokens"), "Reauthorized")

    index.report(row())

    assert [row(pause=pause(), announced="Reauthorized")] == list(index.rows())


def test_a_secret_that_left_stays_out(index: Index) -> None:
    """No report, no announcement, no pause and no wish to look brings back a row that was removed."""
    index.add(row())
    index.remove(arn("tokens"))

    assert not index.report(row())
    assert not index.look_at(arn("tokens"), NOW)
    assert not index.pause(pause(), secret_arn=arn("tokens"))
    index.announced(arn("tokens"), "Reauthorized")
    index.remove(arn("tokens"))
    assert ([], None) == (list(index.rows()), index.entry(arn("tokens")))


def test_look_at(index: Index) -> None:
    """A secret can be made due without touching what was seen."""
    index.add(row(next_at=NOW + HOUR))

    assert index.look_at(arn("tokens"), NOW)
    assert [row(next_at=NOW)] == list(index.rows())


def test_pauses(index: Index) -> None:
    """Fleet, provider and secret are paused and resumed one by one."""
    index.add(row())
    assert Pauses() == index.pauses()

    index.pause(pause(HOUR))
    index.pause(pause(2 * HOUR), provider="x/y.z")
    index.pause(pause(3 * HOUR), secret_arn=arn("tokens"))

    assert Pauses(fleet=pause(HOUR), providers={"x/y.z": pause(2 * HOUR)}) == index.pauses()
    entry = index.entry(arn("tokens"))
    assert entry is not None
    assert (index.pauses(), pause(3 * HOUR)) == (entry.pauses, entry.row.pause)

    index.pause(None)
    index.pause(None, provider="x/y.z")
    index.pause(None, secret_arn=arn("tokens"))
    assert (Pauses(), [row()]) == (index.pauses(), list(index.rows()))


def test_what_was_handed_out(index: Index) -> None:
    """Messages are remembered for the lease, and all of one minute together."""
    index.remember(["a", "b"], NOW)
    index.remember(["c"], NOW + MINUTE / 2)

    assert {"a", "b", "c"} == index.handed_out(NOW + MINUTE)
    assert {"a", "b", "c"} == index.handed_out(NOW + 4 * MINUTE)
    assert frozenset() == index.handed_out(NOW + 7 * MINUTE)


def test_open_breakers(index: Index) -> None:
    """An entry names the providers whose breaker is open, until the dispatcher says otherwise."""
    index.add(row())

    def told() -> frozenset[str]:
        entry = index.entry(arn("tokens"))
        assert entry is not None
        return entry.breakers

    assert frozenset() == told()
    now = datetime.now(UTC) if isinstance(index, TableIndex) else NOW
    index.tell_breakers(["xero", "hubspot"], now)
    assert {"xero", "hubspot"} == told()
    index.tell_breakers([], now)
    assert frozenset() == told()
    index.tell_breakers(["xero"], now - LEASE - MINUTE)
    assert frozenset() == told(), "no dispatcher has spoken for too long"


@pytest.mark.parametrize(
    "odd", [{"S": "["}, {"L": [{"N": "1"}]}, {"L": [{"S": "no name"}]}, {"N": "1"}, {"NULL": True}]
)
def test_unreadable_breakers_stop_nobody(odd: Any) -> None:
    """What is no list of providers, or holds for longer than a dispatcher would say, is no open breaker."""
    until, far = ({"N": items.seconds(NOW + ahead)} for ahead in (MINUTE, 2 * HOUR))
    names = {"L": [{"S": "xero"}]}

    assert {"xero"} == items.read_breakers({"providers": names, "open_until": until}, NOW)
    assert frozenset() == items.read_breakers({"providers": odd, "open_until": until}, NOW)
    assert frozenset() == items.read_breakers({"providers": names, "open_until": odd}, NOW)
    assert frozenset() == items.read_breakers({"providers": names, "open_until": far}, NOW)


def test_fleets_share_a_table(dynamodb: DynamoDBClient) -> None:
    """Two fleets in one table see neither each other's rows nor pauses nor messages."""
    prod, test = (TableIndex(dynamodb, TABLE, fleet) for fleet in ("prod", "test"))
    prod.add(row())
    prod.pause(pause())
    prod.remember(["a"], NOW)

    assert ([], None, Pauses(), frozenset()) == (
        list(test.rows()),
        test.entry(arn("tokens")),
        test.pauses(),
        test.handed_out(NOW),
    )


def test_claims_are_left_alone(dynamodb: DynamoDBClient) -> None:
    """The item that holds a secret's claims is no row, and removing the row leaves it."""
    claims = {"secret_arn": {"S": arn("tokens")}, "claim_id": {"S": "c1"}}
    dynamodb.put_item(TableName=TABLE, Item=claims)
    index = TableIndex(dynamodb, TABLE, "prod")
    index.add(row())
    index.remove(arn("tokens"))

    assert [] == list(index.rows())
    assert claims == dynamodb.get_item(TableName=TABLE, Key={"secret_arn": {"S": arn("tokens")}})["Item"]


def test_pages() -> None:
    """All pages of a query are read, and what a batch left unread is read again."""
    calls: list[dict[str, Any]] = []

    def query(**what: Any) -> dict[str, Any]:
        calls.append(what)
        return {"Items": [], "ResponseMetadata": {}, **({"LastEvaluatedKey": {"k": 1}} if len(calls) < 3 else {})}

    def batch_get_item(**what: Any) -> dict[str, Any]:
        calls.append(what)
        left = {TABLE: {"Keys": [1]}} if len(calls) < 5 else {}
        return {"Responses": {}, "UnprocessedKeys": left, "ResponseMetadata": {}}

    index = TableIndex(cast("Any", Stub(query=query, batch_get_item=batch_get_item)), TABLE, "prod")

    assert [] == list(index.rows())
    assert [None, {"k": 1}, {"k": 1}] == [call.get("ExclusiveStartKey") for call in calls]
    assert index.entry(arn("tokens")) is None
    assert {TABLE: {"Keys": [1]}} == calls[-1]["RequestItems"]


def test_a_table_that_leaves_items_unread() -> None:
    """A throttled table that gives a part of a batch each time ends the run, and not its function's time."""
    calls = iter(range(20))

    def batch_get_item(**what: Any) -> dict[str, Any]:
        next(calls)
        return {"Responses": {}, "UnprocessedKeys": what["RequestItems"], "ResponseMetadata": {}}

    index = TableIndex(cast("Any", Stub(batch_get_item=batch_get_item)), TABLE, "prod")

    with pytest.raises(SecretStoreUnavailable, match=f"BatchGetItem on table {TABLE} .* left items unread"):
        index.entry(arn("tokens"))


SEEN = items.report_values(row(), prefix="")["seen"]["S"]


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("provider", {"N": "7"}),
        ("added_at", {"S": "canary"}),
        ("next_at", {"N": "1e400"}),
        ("next_at", {"N": "99999999999999"}),
        ("next_at", {"L": []}),
        ("seen", {"S": "canary"}),
        ("seen", {"S": "[]"}),
        ("seen", {"S": "{}"}),
        ("seen", {"S": SEEN.replace('"failures": 0', '"failures": "canary"')}),
        ("seen", {"S": SEEN.replace('"outcome": "', '"outcome": 7, "x": "')}),
        ("seen", {"S": SEEN.replace('"since": ', '"x": ')}),
        ("seen", {"S": SEEN.replace('"healthy"', '"canary"')}),
        ("pause", {"S": '{"until": "canary"}'}),
        ("pause", {"BOOL": True}),
        ("announced", {"N": "1"}),
        ("provider", {"S": "no provider's name"}),
        ("seen", {"S": SEEN.replace('"failures": 0', '"failures": -9')}),
        ("seen", {"S": SEEN.replace('"at": "', '"at": "9')}),
        ("ran_at", {"S": "canary"}),
        ("ran_at", {"NULL": True}),
        ("ran_at", {"N": "99999999999"}),
    ],
)
def test_an_unreadable_row_stops_nobody_else(dynamodb: DynamoDBClient, name: str, odd: Any) -> None:
    """What can't be read of a row counts as unknown: all rows are read, and the next report writes it anew."""
    index = TableIndex(dynamodb, TABLE, "prod")
    index.add(row("good"))
    index.add(row("bad"))
    dynamodb.update_item(
        TableName=TABLE,
        Key=items.row_key(arn("bad")),
        UpdateExpression="SET #odd = :odd",
        ExpressionAttributeNames={"#odd": name},
        ExpressionAttributeValues={":odd": odd},
    )

    rows = {found.secret_arn: found for found in index.rows()}

    assert {arn("good"), arn("bad")} == set(rows)
    assert row("good") == rows[arn("good")]
    bad = rows[arn("bad")]
    assert decide(Fleet(rows=[bad]), NOW).messages
    after(bad, unread("InternalError"), began_at=NOW, chance=0.0)
    assert index.report(replace(row("bad"), seen=seen(at=NOW)))
    healed = index.entry(arn("bad"))
    assert healed is not None
    assert (row("bad").provider, seen(at=NOW)) == (healed.row.provider, healed.row.seen)


@pytest.mark.parametrize(("ahead", "believed"), [(HOUR, True), (HOUR + MINUTE, False)])
def test_a_run_that_has_yet_to_happen_is_not_believed(ahead: timedelta, *, believed: bool) -> None:
    """A last run in the future counts as none: its failure would keep its provider's breaker open for good."""
    found = items.read_row(items.write_row(row(found=failed("ClientRejected", at=NOW + ahead)), "prod"), NOW)

    assert believed is (found.seen is not None)


def test_an_item_of_no_fleet_keeps_no_secret_out(dynamodb: DynamoDBClient) -> None:
    """A row that lost its fleet's name is in no listing, so adding the secret again replaces it."""
    dynamodb.put_item(TableName=TABLE, Item=items.row_key(arn("tokens")))
    index = TableIndex(dynamodb, TABLE, "prod")

    assert [True, False] == [index.add(row()), index.add(row(new=True))]
    assert [row()] == list(index.rows())


def test_items_with_a_strange_key_are_no_rows(dynamodb: DynamoDBClient) -> None:
    """No run is started for an item whose key is not a secret's ARN: the worker would refuse its message for good."""
    for key in ("claims", "row#", "row#canary", f"row#{arn('with space')}"):
        dynamodb.put_item(TableName=TABLE, Item={"secret_arn": {"S": key}, "fleet": {"S": "prod"}})

    assert [] == list(TableIndex(dynamodb, TABLE, "prod").rows())


@pytest.mark.parametrize("odd", [{"S": "canary"}, {"L": []}])
def test_unreadable_messages_stop_no_minute(dynamodb: DynamoDBClient, odd: Any) -> None:
    """Messages of a minute that can't be read count as none: the queue drops those that are sent again."""
    index = TableIndex(dynamodb, TABLE, "prod")
    index.remember(["a"], NOW - MINUTE)
    dynamodb.put_item(TableName=TABLE, Item=items.sent_key("prod", int(NOW.timestamp()) // 60) | {"ids": odd})

    assert {"a"} == index.handed_out(NOW)


@pytest.mark.parametrize("odd", [{"S": "canary"}, {"N": "7"}])
def test_an_unreadable_pause_stops_nobody(dynamodb: DynamoDBClient, odd: Any) -> None:
    """A pause that can't be read pauses nothing, and the others hold."""
    index = TableIndex(dynamodb, TABLE, "prod")
    index.pause(pause(), provider="xero")
    dynamodb.update_item(
        TableName=TABLE,
        Key=items.fleet_key("prod"),
        UpdateExpression="SET pause = :odd, #provider = :odd",
        ExpressionAttributeNames={"#provider": "pause:other"},
        ExpressionAttributeValues={":odd": odd},
    )

    assert Pauses(providers={"xero": pause()}) == index.pauses()
