"""The worker of a fleet, where the row is damaged, wrong or unread."""

import json
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE
from fleet.queue_stage import FleetStage
from token_refresh.errors import TableUnavailable
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import State


@pytest.mark.parametrize("name", ["added_at", "next_at", "seen", "ran_at", "provider"])
def test_an_unreadable_row_is_a_hint_that_is_missing(stage: FleetStage, dynamodb: DynamoDBClient, name: str) -> None:
    """A row that holds something else stops no run: the secret decides, nothing is quoted, and the row heals."""
    secret_arn = stage.enrol("customers/1")
    dynamodb.update_item(
        TableName=TABLE,
        Key={"secret_arn": {"S": f"row#{secret_arn}"}},
        UpdateExpression="SET #odd = :odd",
        ExpressionAttributeNames={"#odd": name},
        ExpressionAttributeValues={":odd": {"S": "can ary"}},
    )

    stage.message(secret_arn)
    stage.message(secret_arn)

    lines = stage.lines()
    assert "can ary" not in json.dumps(lines)
    assert "refreshed" == stage.seen(secret_arn).outcome
    assert ["would_refresh", "refreshed"] == [
        line["outcome"] for line in lines if line["event"] == "token_refresh_finished"
    ]
    assert 1 == stage.endpoint.grant.redemptions


def test_a_row_with_another_provider_heals(stage: FleetStage, dynamodb: DynamoDBClient) -> None:
    """A row whose provider is not the document's costs one failed run, which sends nothing; the next one is right."""
    secret_arn = stage.enrol("customers/1")
    stage.look(secret_arn)
    stage.message(secret_arn)
    dynamodb.update_item(
        TableName=TABLE,
        Key={"secret_arn": {"S": f"row#{secret_arn}"}},
        UpdateExpression="SET provider = :other",
        ExpressionAttributeValues={":other": {"S": "hubspot"}},
    )

    found = []
    for _ in range(2):
        stage.message(secret_arn)
        found.append((stage.seen(secret_arn).state, stage.row(secret_arn).provider))

    assert [(State.ERROR, "hubspot"), (State.HEALTHY, "upwork")] == found
    assert 1 == len(stage.endpoint.requests)


def test_a_throttled_table_holds_up_no_group(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that can't be read is handled and logged: its secret stays due, and the messages behind it go on."""
    throttled, good = stage.enrol("throttled"), stage.enrol("good")
    entry = TableIndex.entry

    def sometimes(self: TableIndex, secret_arn: str) -> Any:
        if secret_arn == throttled:
            raise TableUnavailable("dynamodb:BatchGetItem failed (ThrottlingException)")
        return entry(self, secret_arn)

    with monkeypatch.context() as patch:
        patch.setattr(TableIndex, "entry", sometimes)
        assert {"batchItemFailures": []} == stage.message(throttled, good)
        ended = [(line["secret_id"], line["Failed"]) for line in stage.lines() if "Failed" in line]
        stage.fail(TableUnavailable, {"secret_id": throttled})

    assert [(throttled, 1), (good, 0)] == ended
    assert (None, "would_refresh") == (stage.seen(throttled), stage.seen(good).outcome)


def test_another_default_provider(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that names no provider follows the deployment's, once a run with the wrong one has failed."""
    secret_arn = stage.enrol("customers/1", clientSecret="wrong")
    document = json.loads(stage.client.get_secret_value(SecretId=secret_arn)["SecretString"])
    del document["provider"]
    stage.client.put_secret_value(SecretId=secret_arn, SecretString=json.dumps(document))

    monkeypatch.setenv("PROVIDER", "google")
    stage.look(secret_arn)
    found = []
    for provider in ("google", "upwork"):
        monkeypatch.setenv("PROVIDER", provider)
        stage.message(secret_arn)
        found.append((stage.seen(secret_arn).error_type, stage.row(secret_arn).provider))

    assert [("ClientRejected", "google"), ("ClientRejected", "upwork")] == found
