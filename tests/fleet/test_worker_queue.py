"""A fleet's worker: messages of the queue, a person's events, what it refuses, and rows that are damaged or unread."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE, FleetStage
from fleet.rows import opened
from testbed.provider import script
from token_refresh.errors import (
    ConfigurationError,
    InternalError,
    InvalidEvent,
    ReauthorizationRequired,
    SecretEmpty,
    TableUnavailable,
    TokenRefreshError,
)
from token_refresh.stored.times import iso
from token_refresh_worker.core.versions import REDIRECT_NOTE
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Pause, State

BUS = "events"


def test_a_message_refreshes_its_secret(stage: FleetStage) -> None:
    """The first run on a secret whose host nobody knows only reads: its next run is due at once, and heeds the limits.

    From then on a message is one run: the tokens are new, the row says so, and nothing goes back to the queue.
    """
    secret_arn = stage.known()
    looked = stage.row(secret_arn)
    assert ("upwork", "127.0.0.1", [], True) == (
        looked.provider,
        looked.host,
        stage.endpoint.requests,
        looked.next_at == stage.seen(secret_arn).at,
    )

    assert {"batchItemFailures": []} == stage.message(secret_arn)

    row, seen = stage.row(secret_arn), stage.seen(secret_arn)
    assert ("upwork", State.HEALTHY, "refreshed", 1) == (row.provider, seen.state, seen.outcome, seen.requests)
    assert row.next_at == row.tokens.due_at
    assert row.tokens.expires_at is not None
    assert row.tokens.expires_at > row.next_at > datetime.now(UTC)

    stage.message(secret_arn)
    assert (1, "fresh") == (len(stage.endpoint.requests), stage.seen(secret_arn).outcome), "the queue may deliver twice"


@pytest.mark.parametrize(("provider", "lives"), [("paypal", timedelta(hours=17)), ("threads", timedelta(days=50))])
def test_a_member_without_a_refresh_token(stage: FleetStage, provider: str, lives: timedelta) -> None:
    """A new member of a provider that has no refresh tokens is read as its runs read it."""
    fresh = int((datetime.now(UTC) + lives).timestamp() * 1000)
    secret_arn = stage.enrol("customers/1", provider=provider, refreshToken=None, expiresAt=fresh)

    stage.message(secret_arn)

    seen = stage.seen(secret_arn)
    assert (provider, State.HEALTHY, "fresh") == (stage.row(secret_arn).provider, seen.state, seen.outcome)


def test_the_end_of_a_grant_reaches_the_index(stage: FleetStage) -> None:
    """The earliest end is in the row, from which "Grant Ending" is announced: as stated, or because nobody uses it."""
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "table", "table": "fleet-table"}
    now = datetime.now(UTC).replace(microsecond=0)
    soon, late = now + timedelta(days=10), now + timedelta(days=400)
    ends = []
    for name, stated in (("customers/1", soon), ("customers/2", late)):
        secret_arn = stage.known(name, tokenRefresh=origin | {"grant_ends_at": iso(stated)})
        stage.message(secret_arn)
        tokens = stage.seen(secret_arn).tokens
        assert tokens.grant_ends_at is not None
        assert tokens.grant_ending_at is not None
        ends.append((tokens.grant_ends_at, tokens.grant_ends_at - tokens.grant_ending_at))

    assert (soon, timedelta(days=7)) == ends[0]
    unused_for = timedelta(days=14)
    assert now + unused_for <= ends[1][0] < late
    assert unused_for / 4 == ends[1][1]


def test_metrics_of_a_fleet(stage: FleetStage) -> None:
    """The last line's dimensions are fleet and provider, never the secret, and it measures how late the refresh was."""
    secret_arn = stage.known()
    stage.message(secret_arn)

    line = stage.last_line()
    assert [["Fleet"], ["Fleet", "Provider"]] == line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    named = {"Fleet": "prod", "Provider": "upwork", "trigger": "fleet", "secret_id": secret_arn}
    assert named.items() <= line.items()
    assert "SecretId" not in line

    stage.client.put_secret_value(SecretId=secret_arn, SecretString=_aged(stage, secret_arn))
    stage.index.look_at(secret_arn, datetime.now(UTC))
    stage.message(secret_arn)
    line = stage.last_line()
    assert 0 == line["SecondsAfterDue"], line


def _aged(stage: FleetStage, secret_arn: str) -> str:
    document = json.loads(stage.client.get_secret_value(SecretId=secret_arn)["SecretString"])
    return json.dumps(document | {"expiresAt": stage.now_ms + 60_000, "issuedAt": stage.now_ms - 86_400_000})


def test_failures_are_rows(stage: FleetStage) -> None:
    """A dead grant, a poisoned document and an empty secret are a row each, handled, and hurt nobody else.

    A secret is empty, too, whose customer's first consent failed: it holds that consent's note alone.
    """
    dead, poisoned, empty, refused, good = (
        stage.enrol("dead", refreshToken="long-gone", clientId=stage.endpoint.client_id),
        stage.enrol("poisoned", stored=False),
        stage.enrol("empty", stored=False),
        stage.enrol("refused", stored=False),
        stage.enrol("good"),
    )
    stage.client.put_secret_value(SecretId=poisoned, SecretString="[]")
    stage.client.put_secret_value(SecretId=refused, SecretString=f"{REDIRECT_NOTE}, nonce")
    members = dead, poisoned, empty, refused, good

    stage.look(*members)

    assert {"batchItemFailures": []} == stage.message(*members)

    assert [
        (State.REAUTHORIZE, "ReauthorizationRequired"),
        (State.ERROR, "InvalidSecretDocument"),
        (State.EMPTY, "SecretEmpty"),
        (State.EMPTY, "SecretEmpty"),
        (State.HEALTHY, None),
    ] == [(stage.seen(arn).state, stage.seen(arn).error_type) for arn in members]
    assert "unknown" == stage.row(poisoned).provider
    assert all(stage.row(arn).next_at > datetime.now(UTC) for arn in members)


def test_a_defect_is_a_row(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of this program is handled, too: a row in state error, and no message that comes back at once."""
    secret_arn = stage.enrol("customers/1")

    def broken(*_: object, **__: object) -> None:
        raise KeyError("hush")

    monkeypatch.setattr("token_refresh_worker.handlers.build_run", broken)

    assert {"batchItemFailures": []} == stage.message(secret_arn)
    assert (State.ERROR, "InternalError") == (stage.seen(secret_arn).state, stage.seen(secret_arn).error_type)
    assert "hush" not in json.dumps(stage.last_line())


def test_slow_reads_do_not_move_the_deadline(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run knows what is left of its function's time after the row was read, and begins nothing that it can't end."""
    secret_arn, passed = stage.known(), [0.0]

    def slow(self: TableIndex, secret_arn: str) -> Any:
        passed[0] += 80.0
        return entry(self, secret_arn)

    entry = TableIndex.entry
    monkeypatch.setattr(TableIndex, "entry", slow)
    monkeypatch.setattr("token_refresh_worker.bootstrap.SystemClock.monotonic", lambda _: time.monotonic() + passed[0])

    stage.message(secret_arn)

    assert "DeadlineExceeded" == stage.seen(secret_arn).error_type
    assert [] == stage.endpoint.requests


def test_strangers_are_left_alone(stage: FleetStage) -> None:
    """A secret that is not in the index is not touched, even if a message names it; a paused one is neither."""
    paused = stage.enrol("paused")
    stage.index.pause(
        Pause(at=stage.since, until=stage.since + timedelta(hours=1), by="me", why="test"), secret_arn=paused
    )
    stage.store("stranger", provider="upwork")
    stranger = str(stage.client.describe_secret(SecretId="stranger")["ARN"])

    stage.message(stranger, paused)

    assert [] == stage.endpoint.requests
    assert ["fleet_run_skipped", "fleet_run_skipped"] == stage.events()


def test_events_are_sent(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead grant is announced on the bus that EVENT_BUS names, once."""
    events, queues = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name=BUS)
    monkeypatch.setenv("EVENT_BUS", BUS)
    url = queues.create_queue(QueueName="events")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["token-refresh"]}))
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    dead = stage.known("dead", refreshToken="long-gone")

    stage.message(dead, dead)

    (body,) = [json.loads(message["Body"]) for message in queues.receive_message(QueueUrl=url)["Messages"]]
    assert ("Reauthorization Required", dead) == (body["detail-type"], body["detail"]["secret_id"])
    assert frozenset() == stage.row(dead).unsent


def test_a_probe_repeats_no_lost_request(stage: FleetStage) -> None:
    """A run that an open breaker lets through sends one request to a host that may be dead, where others repeat it."""
    secret_arn = stage.known()
    stage.endpoint.play(*[script.status(503)] * 4)

    probe = {"eventSource": "aws:sqs", "body": json.dumps({"secret_id": secret_arn, "probe": True})}
    stage.invoke({"Records": [probe]})

    assert ("RefreshOutcomeUnknown", 1) == (stage.seen(secret_arn).error_type, stage.seen(secret_arn).requests)


def test_a_defect_is_a_named_failure(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw ends the run with a last line, redeems nothing, and is quoted nowhere."""
    secret_arn = stage.enrol("customers/1")

    def broken(*_: object) -> None:
        raise KeyError("canary")

    monkeypatch.setattr(TableIndex, "entry", broken)
    message = {"eventSource": "aws:sqs", "body": json.dumps({"secret_id": secret_arn})}

    error = stage.fail(InternalError, {"Records": [message]})

    assert (None, None) == (error.__cause__, error.__context__)
    assert "canary" not in str(error)
    assert "InternalError" == stage.last_line()["error_type"]
    assert 0 == stage.endpoint.grant.redemptions


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
    stage.index.tell_breakers(opened("upwork"), stage.since)

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
