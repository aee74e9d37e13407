from dataclasses import replace
from email.utils import format_datetime
from typing import Any, cast

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE, Stub
from fleet.doubles import MemoryIndex
from fleet.rows import arn, change, failed, opened, pause, row, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh.errors import TableUnavailable
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.aws.index import IndexEntry, TableIndex
from token_refresh_worker.fleet.core.breaker import StoreHealth
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import LEASE, MEMORY, DispatchedMessage
from token_refresh_worker.fleet.core.row import Pauses, State


@pytest.fixture(params=["dynamodb", "memory"])
def index(request: pytest.FixtureRequest) -> TableIndex:
    """The index on two imitations of DynamoDB: moto's, and the one that tests and the benchmark use."""
    if request.param == "memory":
        return MemoryIndex()
    client: DynamoDBClient = request.getfixturevalue("dynamodb")
    return TableIndex(client, TABLE, "prod")


def entry_of(index: TableIndex) -> IndexEntry:
    found = index.entry(arn("tokens"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "stored",
    [
        row(new=True),
        row(found=seen(grant_ends_at=NOW + HOUR, grant_ending_at=NOW), pause=pause(), unsent=frozenset({change()})),
        row(found=failed("TokenEndpointUnavailable", at=NOW)),
        row(found=seen(expires_at=None, due_at=None)),
        row(found=seen(host=None, requests=0, refused_at=NOW)),
    ],
    ids=["new", "full", "failed", "no expiry", "refused"],
)
def test_a_row_comes_back_as_it_was_stored(index: TableIndex, stored: object) -> None:
    """Every field of a row survives the table, times to the microsecond."""
    whole = replace(cast("Any", stored), next_at=NOW + MINUTE / 7)

    assert index.add(whole)
    assert [whole] == list(index.rows())
    entry = entry_of(index)
    assert (whole, Pauses()) == (entry.row, entry.pauses)


def test_a_late_report_never_replaces_a_newer_one(index: TableIndex) -> None:
    """Of two runs the one that Secrets Manager's clock puts later stays; a repetition of the same report is stored.

    Runs that the clock can't tell apart, within a second, are taken in the order in which they report.
    """
    index.add(row(new=True))
    newer = row(found=seen(at=NOW), provider="hubspot", next_at=NOW + HOUR)
    late, soon = (row(found=seen(at=NOW - ago, outcome="fresh")) for ago in (MINUTE, MINUTE / 120))

    assert [True, False, True] == [index.report(report) for report in (newer, late, newer)]
    assert [newer] == list(index.rows())
    assert index.report(soon)
    assert [soon] == list(index.rows())


def test_what_is_to_be_sent(index: TableIndex) -> None:
    """What a run has to announce is stored with its report, and is gone once it is announced.

    A report changes nothing else: neither a pause that came meanwhile, nor what is still to be sent.
    """
    both = frozenset({change(), change(Transition.GRANT_ENDING)})
    index.add(row(new=True))
    index.pause(pause(), secret_arn=arn("tokens"))

    for left in (both, frozenset()):
        index.report(row(unsent=left))
        assert [row(unsent=both, pause=pause())] == list(index.rows())
    index.announced(arn("tokens"), change())
    index.announced(arn("tokens"), change())
    assert [row(unsent=both - {change()}, pause=pause())] == list(index.rows())
    index.announced(arn("tokens"), change(Transition.GRANT_ENDING))
    assert [row(pause=pause())] == list(index.rows())


def test_a_report_over_what_was_read(index: TableIndex) -> None:
    """A report over a row that another run has changed since is refused, so that the run can look at what it found."""
    index.add(row(new=True))
    new, first, second = row(new=True), row(found=seen(at=NOW)), row(found=seen(at=NOW + MINUTE))

    assert [True, False, True] == [
        index.report(report, over=over) for report, over in ((first, new), (second, new), (second, first))
    ]
    assert [second] == list(index.rows())


def test_a_secret_that_left_stays_out(index: TableIndex) -> None:
    """No report, no announcement, no pause and no wish to look brings back a row that was removed."""
    index.add(row())
    assert row() == index.remove(arn("tokens"), NOW, quietly=False)

    assert not index.report(row())
    assert not index.look_at(arn("tokens"), NOW)
    assert not index.pause(pause(), secret_arn=arn("tokens"))
    index.announced(arn("tokens"), change())
    assert not index.remove(arn("tokens"), NOW, quietly=False)
    assert not index.remove(arn("another"), NOW, quietly=True)
    assert ([], None) == (list(index.rows()), index.entry(arn("tokens")))


def test_tombstones(index: TableIndex) -> None:
    """A secret that left is remembered, quietly if anybody asked for it, and forgotten when it comes back."""
    index.add(row())
    stone = Tombstone(secret_arn=arn("tokens"), provider="xero", left_at=NOW, quietly=False)

    index.remove(arn("tokens"), NOW, quietly=False)
    assert [stone] == list(index.tombstones())
    assert "tokens" == stone.name
    assert row() == index.remove(arn("tokens"), NOW + HOUR, quietly=True)
    assert [replace(stone, left_at=NOW + HOUR, quietly=True)] == list(index.tombstones()), "a resync waits from then on"
    assert index.add(row())
    assert ([row()], []) == (list(index.rows()), list(index.tombstones()))
    index.remove(arn("tokens"), NOW + HOUR, quietly=True)
    assert [replace(stone, left_at=NOW + HOUR, quietly=True)] == list(index.tombstones())


def test_a_secret_that_comes_back(index: TableIndex) -> None:
    """A secret that lost its tag for a while is due when it is back, with its state, its pause and its unsent events.

    Otherwise its dead grant would be a new death, and a transition that the bus has not taken would be lost.
    """
    before = row(found=seen(state=State.REAUTHORIZE), pause=pause(), unsent=frozenset({change()}))
    index.add(before)
    index.remove(arn("tokens"), NOW, quietly=False)
    back = row(new=True, provider="unknown", next_at=NOW + HOUR, added_at=NOW + HOUR)

    assert index.add(back)
    assert [replace(before, next_at=NOW + HOUR, added_at=NOW + HOUR)] == list(index.rows())
    assert [] == list(index.tombstones())
    assert not index.add(back)
    index.remove(arn("tokens"), NOW, quietly=True)
    assert index.add(back)
    assert [None] == [member.pause for member in index.rows()], "whoever took it out ends its pause"


def test_what_a_removal_leaves(dynamodb: DynamoDBClient) -> None:
    """The item that holds a secret's claims is no row, and removing the row leaves it.

    Nothing of the tombstone stays where the secret comes back: after a week DynamoDB would delete its row.
    """
    claims = {"secret_arn": {"S": arn("tokens")}, "claim_id": {"S": "c1"}}
    dynamodb.put_item(TableName=TABLE, Item=claims)
    index = TableIndex(dynamodb, TABLE, "prod")
    index.add(row())
    index.remove(arn("tokens"), NOW, quietly=True)

    assert [] == list(index.rows())
    assert claims == dynamodb.get_item(TableName=TABLE, Key={"secret_arn": {"S": arn("tokens")}})["Item"]
    index.add(row(new=True))
    item = dynamodb.get_item(TableName=TABLE, Key=items.key("row", arn("tokens")))["Item"]
    assert not {"gone_at", "left_at", "quietly"} & item.keys()


def test_pauses(index: TableIndex) -> None:
    """Fleet, provider and secret are paused and resumed one by one."""
    index.add(row())
    assert Pauses() == index.pauses()

    index.pause(pause(HOUR))
    index.pause(pause(2 * HOUR), provider="x/y.z")
    index.pause(pause(3 * HOUR), secret_arn=arn("tokens"))

    assert Pauses(fleet=pause(HOUR), providers={"x/y.z": pause(2 * HOUR)}) == index.pauses()
    entry = entry_of(index)
    assert (index.pauses(), pause(3 * HOUR)) == (entry.pauses, entry.row.pause)

    index.pause(None)
    index.pause(None, provider="x/y.z")
    index.pause(None, secret_arn=arn("tokens"))
    assert (Pauses(), [row()]) == (index.pauses(), list(index.rows()))


def test_what_was_handed_out(index: TableIndex) -> None:
    """Messages are remembered with their groups and how often they were sent, and all of one minute together."""
    index.remember({"a": "xero-0", "b": "xero-1"}, NOW)
    index.remember({"c": "xero-0"}, NOW + MINUTE / 2)
    index.remember({"a": "xero-lost-0"}, NOW + 6 * MINUTE)

    first = {"b": DispatchedMessage(at=NOW, group="xero-1"), "c": DispatchedMessage(at=NOW, group="xero-0")}
    again = DispatchedMessage(at=NOW + 6 * MINUTE, group="xero-lost-0", times=2)
    assert first | {"a": again} == index.handed_out(NOW + MEMORY - MINUTE)
    assert {"a": replace(again, times=1)} == index.handed_out(NOW + MEMORY + MINUTE)


def test_who_was_refused(index: TableIndex) -> None:
    """The secrets that Secrets Manager refused are read with each row, until it takes one."""
    index.add(row())

    assert frozenset() == entry_of(index).store.refused
    for name in ("a", "b", "a"):
        index.note_refused(arn(name))
    assert {arn("a"), arn("b")} == entry_of(index).store.refused == index.store().refused
    index.note_taken(NOW)
    assert StoreHealth(taken_at=NOW) == index.store()


def test_rows_are_read_again(index: TableIndex) -> None:
    """Rows are read once more by their keys, however many there are; what has left the fleet meanwhile is missing."""
    many = [row(f"t/{number}") for number in range(101)]
    for each in many:
        index.add(each)
    index.look_at(arn("t/7"), NOW - HOUR)
    index.remove(arn("t/8"), NOW, quietly=False)

    found = {each.name: each for each in index.read_again(many)}

    assert (100, row("t/7", next_at=NOW - HOUR)) == (len(found), found["t/7"])
    assert "t/8" not in found


def test_open_breakers(index: TableIndex) -> None:
    """An entry names the providers whose breaker is open, until the dispatcher says otherwise."""
    index.add(row())
    assert frozenset() == entry_of(index).breakers
    now = index.read_clock()
    index.tell_breakers(opened("xero", "hubspot"), now)
    assert {"xero", "hubspot"} == entry_of(index).breakers
    index.tell_breakers({}, now)
    assert frozenset() == entry_of(index).breakers
    index.tell_breakers(opened("xero"), now - LEASE - MINUTE)
    assert frozenset() == entry_of(index).breakers, "no dispatcher has spoken for too long"


def test_fleets_share_a_table(dynamodb: DynamoDBClient) -> None:
    """Two fleets in one table see neither each other's rows nor pauses nor messages."""
    prod, test = (TableIndex(dynamodb, TABLE, fleet) for fleet in ("prod", "test"))
    prod.add(row())
    prod.pause(pause())
    prod.remember({"a": "xero-0"}, NOW)

    assert ([], None) == (list(test.rows()), test.entry(arn("tokens")))
    assert (Pauses(), {}) == (test.pauses(), test.handed_out(NOW))


DATED = {"HTTPHeaders": {"date": format_datetime(NOW, usegmt=True)}}


def test_the_index_goes_by_the_tables_clock() -> None:
    """The time of an entry is DynamoDB's own; without one nothing is decided, since this machine's may be wrong."""

    def response(metadata: dict[str, Any]) -> Any:
        item = items.write_row(row(), "prod")
        answers = {"Items": [item], "Responses": {TABLE: [item]}, "ResponseMetadata": metadata}
        return cast("Any", Stub(query=lambda **_: answers, batch_get_item=lambda **_: answers))

    entry = TableIndex(response(DATED), TABLE, "prod").entry(arn("tokens"))
    assert entry is not None
    assert NOW == entry.read_at
    assert NOW == TableIndex(response(DATED), TABLE, "prod").read_clock()
    undated = TableIndex(response({"HTTPHeaders": {}}), TABLE, "prod")
    for read in (lambda: undated.entry(arn("tokens")), lambda: list(undated.rows()), undated.read_clock):
        with pytest.raises(TableUnavailable, match="without a usable Date"):
            read()


def test_pages() -> None:
    """All pages of a query are read, and what a batch left unread is read again."""
    calls: list[dict[str, Any]] = []

    def query(**what: Any) -> dict[str, Any]:
        calls.append(what)
        return {"Items": [], "ResponseMetadata": DATED, **({"LastEvaluatedKey": {"k": 1}} if len(calls) < 3 else {})}

    def batch_get_item(**what: Any) -> dict[str, Any]:
        calls.append(what)
        left = {TABLE: {"Keys": [1]}} if len(calls) < 5 else {}
        found = items.write_row(row(), "prod") if len(calls) < 5 else {items.KEY: {"S": "another"}}
        return {"Responses": {TABLE: [found]}, "UnprocessedKeys": left, "ResponseMetadata": DATED}

    index = TableIndex(cast("Any", Stub(query=query, batch_get_item=batch_get_item)), TABLE, "prod")

    assert [] == list(index.rows())
    assert [None, {"k": 1}, {"k": 1}] == [call.get("ExclusiveStartKey") for call in calls]
    assert row() == entry_of(index).row, "what an earlier part of the batch brought is kept"
    assert {TABLE: {"Keys": [1]}} == calls[-1]["RequestItems"]
    assert calls[3]["RequestItems"][TABLE]["ConsistentRead"], "a stale row would run a secret that has just run"


def test_a_table_that_leaves_items_unread() -> None:
    """A throttled table that gives a part of a batch each time ends the run, and not its function's time."""
    calls = iter(range(20))

    def batch_get_item(**what: Any) -> dict[str, Any]:
        next(calls)
        return {"Responses": {}, "UnprocessedKeys": what["RequestItems"], "ResponseMetadata": DATED}

    index = TableIndex(cast("Any", Stub(batch_get_item=batch_get_item)), TABLE, "prod")

    with pytest.raises(TableUnavailable, match=f"BatchGetItem on fleet table {TABLE} .* left items unread"):
        index.entry(arn("tokens"))
