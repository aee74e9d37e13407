"""A fleet's function on demand: one member by its ARN, and events that it refuses."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.queue_stage import FleetStage
from token_refresh.errors import (
    ConfigurationError,
    InvalidEvent,
    ReauthorizationRequired,
    SecretEmpty,
    TokenRefreshError,
)
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
