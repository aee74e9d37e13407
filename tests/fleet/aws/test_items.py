"""Items that can't be read, or hold something else: each counts as unknown, and stops nobody else."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE
from fleet.rows import arn, change, failed, opened, pause, ran_into, row, seen, unread
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.breaker import STORE
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.enrolment import recent_tombstones
from token_refresh_worker.fleet.core.fleet import LEASE, Fleet, LastDispatch
from token_refresh_worker.fleet.core.gauges import measure
from token_refresh_worker.fleet.core.outcome import after
from token_refresh_worker.fleet.core.row import Pauses
from token_refresh_worker.run.outcome import CopyState

UNTIL = {"open_until": {"N": items.seconds(NOW + LEASE)}}
LEFT = {"told": {"S": items.write_dispatch(opened("xero", STORE), NOW - HOUR)}}


@pytest.mark.parametrize(
    "odd",
    [
        {"told": {"S": "["}},
        {"told": {"S": "{}"}},
        {"told": {"S": '{"breakers": {"xero": []}}'}},
        {"told": {"S": '{"breakers": {"no name": ["silent", 0]}}'}},
        {"told": {"S": '{"breakers": {"xero": ["of a later release", 1]}, "unheard": null}'}},
        {"told": {"L": [{"S": "xero"}]}},
        {"told": {"NULL": True}},
    ],
)
def test_an_unreadable_word_of_the_dispatcher(odd: Any) -> None:
    """What a dispatcher told is read as it was; what can't be read stops nobody, and says but when it was told."""
    assert LastDispatch(at=NOW, breakers=opened("xero", STORE), unheard_since=NOW - HOUR) == items.read_dispatch(
        UNTIL | LEFT, NOW
    )
    assert LastDispatch(at=NOW) == items.read_dispatch(UNTIL | odd, NOW)


@pytest.mark.parametrize(
    ("until", "at"),
    [
        ({"N": items.seconds(NOW)}, NOW - LEASE),
        ({"N": items.seconds(NOW + 2 * HOUR)}, NOW + 2 * HOUR - LEASE),
        ({"S": "canary"}, None),
        ({"NULL": True}, None),
    ],
)
def test_a_breaker_is_open_for_a_dispatchers_lease(until: Any, at: datetime | None) -> None:
    """A word of long ago, or that holds for longer than a dispatcher would say, opens no breaker."""
    assert LastDispatch(at=at) == items.read_dispatch({"open_until": until} | LEFT, NOW)


SEEN = items.report_values(row(), prefix="")["seen"]["S"]


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("provider", {"N": "7"}),
        ("added_at", {"S": "canary"}),
        ("next_at", {"N": "99999999999999"}),
        ("seen", {"S": "canary"}),
        ("seen", {"S": "{}"}),
        ("seen", {"S": SEEN.replace('"failures": 0', '"failures": "canary"')}),
        ("seen", {"S": SEEN.replace('"outcome": "', '"outcome": 7, "x": "')}),
        ("seen", {"S": SEEN.replace('"since": ', '"x": ')}),
        ("seen", {"S": SEEN.replace('"healthy"', "null")}),
        ("pause", {"S": '{"until": "canary"}'}),
        ("unsent", {"SS": ["Reauthorized"]}),
        ("provider", {"S": "no provider's name"}),
        ("seen", {"S": SEEN.replace('"failures": 0', '"failures": -9')}),
        ("seen", {"S": SEEN.replace('"at": "', '"at": "9')}),
        ("ran_at", {"S": "canary"}),
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
        Key=items.key("row", arn("bad")),
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


def test_what_a_later_version_wrote_costs_itself_alone() -> None:
    """After a rollback a state, a copy's state, a transition or more of a request may be unknown: all else stays."""
    known = frozenset({change()})
    written = items.write_row(replace(row(found=replace(seen(), copy=CopyState.CURRENT)), unsent=known), "prod")
    text = written["seen"]["S"].replace('"healthy"', '"asleep"').replace('"current"', '"elsewhere"')
    text = text.replace("null, 0]", 'null, 0, "of a later version"]')
    strange = f"{items.seconds(NOW)} {items.seconds(NOW)} Grant Moved"

    found = items.read_row({**written, "seen": {"S": text}, "unsent": {"SS": [*written["unsent"]["SS"], strange]}}, NOW)

    assert replace(row(), unsent=known) == found
    assert 100.0 == measure(Fleet(rows=[found]), decide(Fleet(rows=[found]), NOW), NOW)["WithinWindowPercent"]


@pytest.mark.parametrize(("ahead", "believed"), [(HOUR, True), (HOUR + MINUTE, False)])
def test_a_run_that_has_yet_to_happen_is_not_believed(ahead: timedelta, *, believed: bool) -> None:
    """A last run in the future counts as none: its failure would keep its provider's breaker open for good."""
    run = failed("ClientRejected", at=NOW + ahead)
    for last in (run, replace(run, at=NOW)):
        found = items.read_row(items.write_row(row(found=last), "prod"), NOW)
        assert believed is (found.seen is not None)


def test_an_item_of_no_fleet_keeps_no_secret_out(dynamodb: DynamoDBClient) -> None:
    """A row that lost its fleet's name is in no listing, so adding the secret again replaces it."""
    dynamodb.put_item(TableName=TABLE, Item=items.key("row", arn("tokens")))
    index = TableIndex(dynamodb, TABLE, "prod")

    assert [True, False] == [index.add(row(pause=pause())), index.add(row(new=True))]
    assert [row(pause=pause())] == list(index.rows()), "what is there stays"


def test_items_with_a_strange_key_are_no_rows(dynamodb: DynamoDBClient) -> None:
    """No run is started for an item whose key is not a secret's ARN: the worker would refuse its message for good."""
    for key in ("claims", "row#", "row#canary", f"row#{arn('with space')}"):
        dynamodb.put_item(TableName=TABLE, Item={"secret_arn": {"S": key}, "fleet": {"S": "prod"}})

    assert [] == list(TableIndex(dynamodb, TABLE, "prod").rows())


@pytest.mark.parametrize("odd", [{"S": "canary"}, {"L": []}, {"N": "7"}])
def test_unreadable_parts_stop_nobody(dynamodb: DynamoDBClient, odd: Any) -> None:
    """Messages that can't be read count as none, and so does a pause; a tombstone without a time is an old one.

    The queue drops those that are sent again, and the other pauses hold.
    """
    index = TableIndex(dynamodb, TABLE, "prod")
    index.remember({"a": "xero-0"}, NOW - MINUTE)
    index.pause(pause(), provider="xero")
    key = items.key("fleet", "prod")
    whole = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    for item in (
        items.key("sent", f"prod#{int(NOW.timestamp()) // 60}") | {"ids": odd},
        whole | {"pause": odd, "pause:other": odd},
        items.key("row", arn("a")) | {"fleet": {"S": "prod#left"}},
    ):
        dynamodb.put_item(TableName=TABLE, Item=item)

    assert {"a"} == index.handed_out(NOW).keys()
    assert Pauses(providers={"xero": pause()}) == index.pauses()
    (stone,) = index.tombstones()
    assert ([], False) == (recent_tombstones([stone], NOW), stone.quietly)


@pytest.mark.parametrize("text", ["[" * 99_999, json.dumps({"failures": 10**4300 - 1})])
def test_what_json_can_t_hold(text: str) -> None:
    """JSON that is nested too deep, and a number too large to count up, are read as no row and no pause."""
    fields = json.loads(items.write_row(row(), "prod")["seen"]["S"])
    broken = text if text.startswith("[") else json.dumps(fields | json.loads(text))
    found = items.read_row(items.write_row(row(), "prod") | {"seen": {"S": broken}, "pause": {"S": broken}}, NOW)

    assert (None, None) == (found.seen, found.pause)
    assert Pauses() == items.read_pauses({"pause": {"S": broken}, "pause:xero": {"S": broken}})
    assert items.write_row(after(found, ran_into("TokenEndpointUnavailable"), began_at=NOW, chance=0.5), "prod")
