"""A fleet's function on demand, events that it refuses, and rows that are damaged, wrong or unread."""

import json
from dataclasses import replace
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE, FleetStage
from token_refresh.errors import (
    ConfigurationError,
    InvalidEvent,
    ReauthorizationRequired,
    SecretEmpty,
    TableUnavailable,
    TokenRefreshError,
)
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import State


def test_on_demand(stage: FleetStage) -> None:
    """An event may name a member by its ARN: the result is that of a single secret, and the row follows."""
    secret_arn = stage.enrol("customers/1")

    dry = stage.invoke({"secret_id": secret_arn, "dry_run": True})
    assert ("would_refresh", None) == (dry["outcome"], stage.row(secret_arn).seen)

    assert "refreshed" == stage.invoke({"secret_id": secret_arn})["outcome"]
    assert "refreshed" == stage.seen(secret_arn).outcome
    assert "refreshed" == stage.invoke({"secret_id": secret_arn, "force": True})["outcome"]


def test_a_person_is_not_held_up_by_a_breaker(stage: FleetStage) -> None:
    """While a provider's breaker is open, a message of the queue runs nothing, and an event of a person does."""
    secret_arn = stage.enrol("customers/1")
    stage.index.report(replace(stage.row(secret_arn), provider="upwork"))
    stage.index.tell_breakers(["upwork"], stage.since)

    stage.message(secret_arn)
    assert [] == stage.endpoint.requests

    assert "refreshed" == stage.invoke({"secret_id": secret_arn})["outcome"]


def test_on_demand_failures(stage: FleetStage) -> None:
    """On demand a failure is raised as for a single secret, and the row follows as well."""
    secret_arn = stage.enrol("dead", refreshToken="long-gone")

    stage.fail(ReauthorizationRequired, {"secret_id": secret_arn})
    assert State.REAUTHORIZE is stage.seen(secret_arn).state
    empty = stage.enrol("empty", stored=False)
    stage.fail(SecretEmpty, {"secret_id": empty})


@pytest.mark.parametrize(
    ("event", "error", "text"),
    [
        ({}, InvalidEvent, "must name a secret"),
        ({"secret_id": "stranger"}, ConfigurationError, "fleet add stranger --fleet prod --region eu-central-1`"),
        ({"Records": {}}, InvalidEvent, "list of SQS messages"),
        ({"Records": [{"eventSource": "aws:s3"}]}, InvalidEvent, "eventSource aws:sqs"),
        ({"Records": [{"eventSource": "aws:sqs"}]}, InvalidEvent, "body"),
        ({"Records": [{"eventSource": "aws:sqs", "body": '{"secret_id": 1}'}]}, InvalidEvent, "body"),
    ],
)
def test_wrong_events(stage: FleetStage, event: Any, error: type[TokenRefreshError], text: str) -> None:
    """An event that is neither a batch nor a member's says what is wrong, on one line that is also the metric."""
    assert text in str(stage.fail(error, event))
    line = stage.last_line()
    assert ("token_refresh_failed", error.__name__, "prod") == (line["event"], line["error_type"], line["Fleet"])


def test_a_batch_without_a_fleet(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is no fleet's refuses a queue's batch, and says which variable is missing."""
    monkeypatch.delenv("FLEET_NAME")

    assert "FLEET_NAME" in str(stage.fail(ConfigurationError, {"Records": []}))


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
    secret_arn = stage.known()
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
    secret_arn = stage.enrol("customers/1", clientSecret="wrong", expiresAt=stage.now_ms)
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
