from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from token_refresh.fleet import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "fleet-table"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in memory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    settings._made.cache_clear()  # noqa: SLF001 - clients of another test have its endpoints
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBClient:
    """A table as the fleet's stack makes it."""
    del aws
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("secret_arn", "fleet")],
        KeySchema=[{"AttributeName": "secret_arn", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "fleet",
                "KeySchema": [{"AttributeName": "fleet", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return client


class Stub:
    """A client whose methods do what a test gives them."""

    class meta:  # noqa: N801 - as botocore names it
        region_name = "eu-central-1"

    def __init__(self, **methods: Any) -> None:
        self.__dict__.update(methods)
