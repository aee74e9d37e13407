from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.queue_stage import FleetStage
from testbed.fleet_table import create_fleet_table
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.fleet.aws.index import TableIndex

TABLE = "fleet-table"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in memory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBClient:
    """A table as the fleet's stack makes it."""
    del aws
    client = boto3.client("dynamodb")
    create_fleet_table(client, TABLE)
    return client


class Stub:
    """A client whose methods do what a test gives them."""

    class meta:  # noqa: N801 - as botocore names it
        region_name = "eu-central-1"

    def __init__(self, **methods: Any) -> None:
        self.__dict__.update(methods)


@pytest.fixture
def stage(
    dynamodb: DynamoDBClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[FleetStage]:
    """The handler of a fleet."""
    with SecretsManagerServer() as server, TokenEndpoint(reuse="grace") as endpoint:
        given = {
            **server.environment,
            "AWS_REGION": "eu-central-1",
            "TOKEN_ENDPOINT": endpoint.url,
            "FLEET_NAME": "prod",
            "CLAIM_TABLE": TABLE,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        made = FleetStage(server, endpoint, capsys)
        made.client = boto3.client("secretsmanager", region_name="eu-central-1", endpoint_url=server.url)
        made.index, made.since = TableIndex(dynamodb, TABLE, "prod"), datetime.now(UTC)
        yield made


@pytest.fixture
def index(dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> TableIndex:
    """A fleet whose table has its name."""
    made = dynamodb.describe_table(TableName="fleet-table")["Table"]
    indexes = [
        {name: found[name] for name in ("IndexName", "KeySchema", "Projection")}
        for found in made["GlobalSecondaryIndexes"]
    ]
    dynamodb.create_table(
        TableName="prod",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=made["AttributeDefinitions"],
        KeySchema=made["KeySchema"],
        GlobalSecondaryIndexes=cast("Any", indexes),
    )
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FLEET_NAME", "prod")
    fleet = TableIndex(dynamodb, "prod", "prod")
    fleet.tell_breakers([], fleet.read_clock())  # a dispatcher runs
    return fleet
