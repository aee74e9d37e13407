"""What the claims in a table lean on: conditional writes, consistent reads, and a refusal of everything doubtful."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from threading import Barrier
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from testbed.dynamodb import expressions
from testbed.dynamodb.server import DynamoDbServer

KEY = {"secret_arn": {"S": "arn"}}


@pytest.fixture
def server() -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as made:
        made.create_table("claims", key="secret_arn")
        yield made


@pytest.fixture
def client(server: DynamoDbServer) -> Iterator[Any]:
    made = server.client(config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32))
    yield made
    made.close()


def update(client: Any, what: str, condition: str, **values: str) -> None:
    client.update_item(
        TableName="claims",
        Key=KEY,
        UpdateExpression=what,
        ConditionExpression=condition,
        ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
    )


def append(client: Any, claim_id: str, *, after: str | None) -> None:
    condition, values = "attribute_not_exists(claim_id)", {"id": claim_id}
    if after is not None:
        condition, values = "claim_id = :after OR claim_id = :id", {"id": claim_id, "after": after}
    update(client, "SET claim_id = :id REMOVE claim_record", condition, **values)


def read(client: Any, *, consistent: bool = True) -> Any:
    return client.get_item(TableName="claims", Key=KEY, ConsistentRead=consistent).get("Item")


def test_an_update_is_conditional(client: Any) -> None:
    """An update succeeds where its condition holds, and is refused and changes nothing where it doesn't."""
    append(client, "c1", after=None)
    for after in (None, "c0"):
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            append(client, "c2", after=after)
    first = "claim_id = :id AND attribute_not_exists(claim_record)"
    update(client, "SET claim_record = :record", first, id="c1", record="first")
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        update(client, "SET claim_record = :record", first, id="c1", record="second")
    assert KEY | {"claim_id": {"S": "c1"}, "claim_record": {"S": "first"}} == read(client)

    append(client, "c2", after="c1")

    assert KEY | {"claim_id": {"S": "c2"}} == read(client)


def test_one_of_many_appends_wins(client: Any) -> None:
    """Of 32 threads that append after the same claim at once, one succeeds."""
    append(client, "c1", after=None)
    barrier = Barrier(32)

    def contend(number: int) -> bool:
        barrier.wait()
        try:
            append(client, f"c2-{number}", after="c1")
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        won = list(pool.map(contend, range(32)))

    assert (1, f"c2-{won.index(True)}") == (sum(won), read(client)["claim_id"]["S"])


def test_only_consistent_reads_are_up_to_date(client: Any) -> None:
    """A read without ConsistentRead misses the last write; a consistent one sees it."""
    append(client, "c1", after=None)
    append(client, "c2", after="c1")

    assert ("c1", "c2") == (read(client, consistent=False)["claim_id"]["S"], read(client)["claim_id"]["S"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"UpdateExpression": "SET record = :v"}, "reserved keyword: record"),
        ({"UpdateExpression": "SET a = :w"}, "not defined; value: :w"),
        ({"UpdateExpression": "REMOVE a"}, "unused in expressions"),
        ({"UpdateExpression": "SET a = :v, a = :v"}, "overlap"),
        ({"UpdateExpression": "SET a = absent"}, "not defined; value: absent"),
        ({"UpdateExpression": "ADD a :v"}, "Syntax error; token: ADD"),
        ({"UpdateExpression": "SET a = :v", "Key": {"other": {"S": "arn"}}}, "does not match the schema"),
        ({"UpdateExpression": "SET a = :v", "ConditionExpression": "a = "}, "ends too early"),
        ({"UpdateExpression": "SET a = :v", "ConditionExpression": "a <> :v"}, "Syntax error near"),
        ({"UpdateExpression": "SET a = :v", "TableName": "other"}, "other not found"),
    ],
)
def test_a_doubtful_request_is_refused(client: Any, changes: dict[str, Any], message: str) -> None:
    """Reserved words, undefined and unused values, overlaps, wrong keys and tables are refused as the service does."""
    request: dict[str, Any] = {"TableName": "claims", "Key": KEY, "ExpressionAttributeValues": {":v": {"S": "x"}}}

    with pytest.raises(ClientError, match=message):
        client.update_item(**request | changes)

    assert read(client) is None


def test_reserved_words() -> None:
    """The reserved words are those that moto knows, kept here because the demo runs without moto."""
    known = files("moto.dynamodb.parsing").joinpath("reserved_keywords.txt").read_text().split()

    assert set(known) == expressions.RESERVED


def test_faults_strike_here_too(server: DynamoDbServer, client: Any) -> None:
    """A reply can be lost, as at Secrets Manager."""
    server.fault("drop_after", "UpdateItem")

    with pytest.raises(ConnectionClosedError):
        append(client, "c1", after=None)

    assert "c1" == read(client)["claim_id"]["S"]
    assert ["drop_after", "ok"] == [call.outcome for call in server.calls]
    assert {"arn"} == {call.call.secret_id for call in server.calls}
