import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.doubles import CommandsTable
from testbed.dynamodb.virtual import split_batch
from testbed.fleet_table import create_fleet_table
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.cli.context import Context
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Row
from worker.handler_stage import Stage


class FleetStage(Stage):
    """One fleet, whose secrets and index a test fills."""

    index: TableIndex
    since: datetime

    def enrol(self, name: str, *, stored: bool = True, **document: Any) -> str:
        if stored:
            self.store(name, **{"provider": "upwork", **document})
        else:
            self.client.create_secret(Name=name)
        secret_arn = str(self.client.describe_secret(SecretId=name)["ARN"])
        self.index.add(Row(secret_arn=secret_arn, provider="unknown", added_at=self.since, next_at=self.since))
        return secret_arn

    def message(self, *arns: str) -> dict[str, Any]:
        records = [{"eventSource": "aws:sqs", "messageId": "m", "body": json.dumps({"secret_id": a})} for a in arns]
        return self.invoke({"Records": records})

    def look(self, *arns: str) -> None:
        """Let the first run on new members read them, and drop what it logs."""
        self.message(*arns)
        self._capsys.readouterr()

    def known(self, name: str = "customers/1", **document: Any) -> str:
        """Enrol a member that a first run has read."""
        secret_arn = self.enrol(name, **document)
        self.look(secret_arn)
        return secret_arn

    def row(self, secret_arn: str) -> Row:
        entry = self.index.entry(secret_arn)
        assert entry is not None
        return entry.row

    def seen(self, secret_arn: str) -> Any:
        return self.row(secret_arn).seen

    def last_line(self) -> dict[str, Any]:
        lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return cast("dict[str, Any]", lines[-1])

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._capsys.readouterr().out.splitlines()]


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
    """A table as the fleet's stack makes it; it leaves half of a batch's keys unread, as a throttled one may."""
    del aws
    client: Any = boto3.client("dynamodb")
    create_fleet_table(client, TABLE)
    read = client.batch_get_item

    def batch_get_item(*, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - as the API names it
        ((table, wanted),) = RequestItems.items()
        unread, asked = split_batch(wanted["Keys"])
        response: dict[str, Any] = read(RequestItems={table: {**wanted, "Keys": asked}})
        return response | ({"UnprocessedKeys": {table: {**wanted, "Keys": unread}}} if unread else {})

    client.batch_get_item = batch_get_item
    return cast("DynamoDBClient", client)


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
def table(aws: None, monkeypatch: pytest.MonkeyPatch) -> CommandsTable:
    """The table in memory that test_index.py compares with moto's, for commands."""
    del aws
    made, client = CommandsTable(), Context.client

    def chosen(context: Context, service: str, *limits: Any, **region: Any) -> Any:
        return made if service == "dynamodb" else client(context, service, *limits, **region)

    monkeypatch.setattr(Context, "client", chosen)
    return made


@pytest.fixture
def index(table: Any, monkeypatch: pytest.MonkeyPatch) -> TableIndex:
    """A fleet for commands."""
    return open_fleet(table, monkeypatch)


@pytest.fixture
def moto_index(dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> TableIndex:
    """The same fleet in moto, which knows of no other table than it has."""
    create_fleet_table(dynamodb, "prod")
    return open_fleet(dynamodb, monkeypatch)


def open_fleet(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> TableIndex:
    """A fleet whose table has its name, and whose dispatcher runs."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FLEET_NAME", "prod")
    fleet = TableIndex(client, "prod", "prod")
    fleet.tell_breakers({}, fleet.read_clock())
    return fleet
