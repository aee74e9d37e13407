"""What the claims in a table lean on: consistent reads, and a refusal of everything doubtful."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

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
    made = server.client(config=Config(retries={"total_max_attempts": 1}))
    yield made
    made.close()


def read(client: Any, *, consistent: bool = True) -> Any:
    return client.get_item(TableName="claims", Key=KEY, ConsistentRead=consistent).get("Item")


def test_only_consistent_reads_are_up_to_date(client: Any) -> None:
    """A read without ConsistentRead misses the last write; a consistent one sees it."""
    for claim_id in ("c1", "c2"):
        values = {":id": {"S": claim_id}}
        client.update_item(
            TableName="claims", Key=KEY, UpdateExpression="SET claim_id = :id", ExpressionAttributeValues=values
        )

    assert ("c1", "c2") == (read(client, consistent=False)["claim_id"]["S"], read(client)["claim_id"]["S"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"UpdateExpression": "SET record = :v"}, "reserved keyword: record"),
        ({"UpdateExpression": "SET a = :w"}, "not defined; value: :w"),
        ({"UpdateExpression": "REMOVE a"}, "unused in expressions"),
        ({"UpdateExpression": "SET a = :v, a = :v"}, "overlap"),
        ({"UpdateExpression": "SET a = absent"}, "not defined; value: absent"),
        ({"UpdateExpression": "SET a = :v", "Key": {"other": {"S": "arn"}}}, "does not match the schema"),
        ({"UpdateExpression": "SET a = :v", "ConditionExpression": "a + :v"}, "Syntax error near"),
        ({"UpdateExpression": "SET a = :v", "ConditionExpression": "a <> :v"}, "not defined; value: >"),
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
    known = files("moto").joinpath("dynamodb", "parsing", "reserved_keywords.txt").read_text().split()

    assert set(known) == expressions.RESERVED
