import json
from typing import Any

import pytest

from token_refresh.errors import InvalidEvent
from token_refresh_worker.run.events import Trigger, is_scheduled, read_event, read_messages

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:acme/prod/upwork-AbCdEf"
CLAIM_ID = "0a93b4be-e3ea-517d-8090-538792f50186"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"},
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "time": "x", "resources": [1]},
        {"source": "aws.scheduler", "detail-type": "Scheduled Event", "force": "ignored"},
    ],
)
def test_a_scheduled_event(event: dict[str, Any]) -> None:
    """EventBridge's and Scheduler's events, and none at all, start a scheduled run; other keys say nothing."""
    assert Trigger(name="schedule") == read_event(event)


@pytest.mark.parametrize("event", [None, [], "aws.scheduler", {}, {"source": "aws.scheduler"}, {"source": []}])
def test_what_no_schedule_sent(event: object) -> None:
    """A fleet's dispatcher takes any event: what is none of a schedule's has it not wait for another dispatcher."""
    assert not is_scheduled(event)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"force": True}, Trigger(name="on_demand", force=True)),
        ({"resend": CLAIM_ID}, Trigger(name="on_demand", resend=CLAIM_ID)),
        ({"dry_run": True, "force": False}, Trigger(name="on_demand", dry_run=True)),
        ({"secret_id": ARN}, Trigger(name="on_demand", secret_id=ARN)),
    ],
)
def test_an_on_demand_event(event: dict[str, Any], expected: Trigger) -> None:
    """An on-demand run may name the secret or an attempt, force the refresh, or ask what would be done."""
    assert expected == read_event(event)


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (None, "the event must be a JSON object, and is a JSON null"),
        ([], "the event must be a JSON object, and is a JSON array"),
        ("canary", "the event must be a JSON object, and is a JSON string"),
        (
            {"forced": True},
            "the event has key forced, which is unknown; expected are secret_id, force, resend, dry_run",
        ),
        ({"Force": True}, "the event has key Force, which is unknown"),
        ({"can ary\n": 1}, "the event has a key, which is unknown"),
        ({"source": "aws.s3", "detail-type": "Scheduled Event"}, "the event has key source, which is unknown"),
        ({"source": []}, "the event has key source, which is unknown"),
        ({"source": {}, "detail-type": []}, "the event has key source, which is unknown"),
        ({"\ud800": 1}, "the event has a key, which is unknown"),
        ({"secret_id": "\ud800"}, "the event's secret_id must be a secret's name or ARN"),
        ({"force": "canary"}, "the event's force must be true or false, and is a string of another kind"),
        ({"force": 1}, "the event's force must be true or false, and is a JSON number"),
        (
            {"resend": "can ary"},
            "the event's resend must be the claim ID that RefreshOutcomeUnknown names, and is a str",
        ),
        ({"secret_id": 7}, "the event's secret_id must be a secret's name or ARN, and is a JSON number"),
        ({"secret_id": ""}, "the event's secret_id must be a secret's name or ARN"),
    ],
)
def test_anything_else_names_the_key_and_not_its_value(event: object, says: str) -> None:
    """An event of another kind says which key is wrong and what was expected, and quotes no value."""
    with pytest.raises(InvalidEvent, match=says) as caught:
        read_event(event)

    assert "canary" not in str(caught.value)
    assert "ary" not in str(caught.value)


@pytest.mark.parametrize(
    "record",
    [
        None,
        {"eventSource": []},
        {"eventSource": "aws:sqs"},
        {"eventSource": "aws:sqs", "body": None},
        {"eventSource": "aws:sqs", "body": "canary"},
        {"eventSource": "aws:sqs", "body": "[" * 100_000},
        {"eventSource": "aws:sqs", "body": '{"secret_id": ' + "1" * 5000 + "}"},
        {"eventSource": "aws:sqs", "body": '{"secret_id": "can ary"}'},
    ],
)
def test_a_message_that_is_none_is_named(record: object) -> None:
    """A batch with a message of another kind says what was expected, and quotes none of it."""
    with pytest.raises(InvalidEvent, match=r"eventSource aws:sqs|must be \{") as caught:
        read_messages({"Records": [record]})

    assert "ary" not in str(caught.value)


@pytest.mark.parametrize(("more", "probe"), [({}, False), ({"probe": True}, True), ({"probe": 1, "version": 9}, False)])
def test_a_message(more: dict[str, object], probe: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A message starts a run on its secret; keys that it does not know come from a later dispatcher."""
    body = json.dumps({"secret_id": "arn:aws:a"} | more)

    assert [Trigger(name="fleet", secret_id="arn:aws:a", probe=probe)] * 2 == read_messages(
        {"Records": [{"eventSource": "aws:sqs", "body": body}] * 2}
    )
