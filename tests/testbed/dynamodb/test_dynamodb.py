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


def append(client: Any, claim_id: str, *, after: str | None) -> None:
    condition: dict[str, Any] = (
        {"ConditionExpression": "attribute_not_exists(claim_id)"}
        if after is None
        else {"ConditionExpression": "claim_id = :after", "ExpressionAttributeValues": {":after": {"S": after}}}
    )
    client.put_item(TableName="claims", Item=KEY | {"claim_id": {"S": claim_id}, "tries": {"N": "9"}}, **condition)


def read(client: Any, *, consistent: bool = True) -> Any:
    return client.get_item(TableName="claims", Key=KEY, ConsistentRead=consistent).get("Item")


def test_an_append_follows_what_it_names(client: Any) -> None:
    """A conditional put succeeds where its condition holds, and is refused and changes nothing where it doesn't."""
    append(client, "c1", after=None)
    for after in (None, "c0"):
        with pytest.raises(client.exceptions.ConditionalCheckFailedException):
            append(client, "c2", after=after)
    assert "c1" == read(client)["claim_id"]["S"]

    append(client, "c2", after="c1")

    assert "c2" == read(client)["claim_id"]["S"]


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


def test_an_update_is_conditional(client: Any) -> None:
    """The first record stays: an update whose condition fails changes nothing."""
    append(client, "c1", after=None)

    def record(value: str) -> None:
        client.update_item(
            TableName="claims",
            Key=KEY,
            UpdateExpression="SET #record = :record REMOVE tries",
            ConditionExpression="claim_id = :id AND (attribute_not_exists(#record) OR NOT #record <> :record)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":id": {"S": "c1"}, ":record": {"S": value}},
        )

    record("first")
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        record("second")

    assert KEY | {"claim_id": {"S": "c1"}, "record": {"S": "first"}} == read(client)


def test_only_consistent_reads_are_up_to_date(client: Any) -> None:
    """A read without ConsistentRead misses the last write; a consistent one sees it."""
    append(client, "c1", after=None)
    append(client, "c2", after="c1")

    assert ("c1", "c2") == (read(client, consistent=False)["claim_id"]["S"], read(client)["claim_id"]["S"])
    client.delete_item(TableName="claims", Key=KEY)
    assert read(client) is None


def test_a_table_can_be_described_and_missing(server: DynamoDbServer, client: Any) -> None:
    """A table says its key, and one that doesn't exist is refused by name."""
    described = client.describe_table(TableName="claims")["Table"]

    assert ("ACTIVE", server.arn("claims")) == (described["TableStatus"], described["TableArn"])
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="other not found"):
        client.describe_table(TableName="other")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"UpdateExpression": "SET record = :v"}, "reserved keyword: record"),
        ({"UpdateExpression": "SET a = :w"}, "not defined; value: :w"),
        ({"UpdateExpression": "REMOVE a"}, "unused in expressions"),
        ({"UpdateExpression": "SET a = :v, a = :v"}, "overlap"),
        ({"UpdateExpression": "SET a = absent, b = :v"}, "does not exist in the item"),
        ({"UpdateExpression": "SET a = :v", "Key": {"other": {"S": "arn"}}}, "does not match the schema"),
        ({"UpdateExpression": "SET a = :v", "ConditionExpression": "a = "}, "ends too early"),
    ],
)
def test_a_doubtful_request_is_refused(client: Any, update: dict[str, Any], message: str) -> None:
    """Reserved words, undefined and unused placeholders, overlaps and wrong keys are refused as the service does."""
    request: dict[str, Any] = {"TableName": "claims", "Key": KEY, "ExpressionAttributeValues": {":v": {"S": "x"}}}

    with pytest.raises(ClientError, match=message) as refused:
        client.update_item(**request | update)

    assert "ValidationException" == refused.value.response["Error"]["Code"]
    assert read(client) is None


def test_reserved_words() -> None:
    """The reserved words are those that moto knows, kept here because the demo runs without moto."""
    known = files("moto.dynamodb.parsing").joinpath("reserved_keywords.txt").read_text().split()

    assert set(known) == expressions.RESERVED


def test_faults_strike_here_too(server: DynamoDbServer, client: Any) -> None:
    """A reply can be lost, and the clock moved, as at Secrets Manager."""
    server.fault("drop_after", "PutItem")
    server.clock_offset_seconds += 86_400

    with pytest.raises(ConnectionClosedError):
        append(client, "c1", after=None)

    assert "c1" == read(client)["claim_id"]["S"]
    assert ["drop_after", "ok"] == [call.outcome for call in server.calls]
    assert {"arn"} == {call.call.secret_id for call in server.calls}
