"""The events that start a run."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from token_refresh.aws.arn import name_same_secret
from token_refresh.errors import InvalidEvent
from token_refresh.stored.json_object import json_type
from token_refresh_worker.core.claims import CLAIM_ID

_SECRET_ID: Final = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}")  # `GetSecretValue`, SecretId: a name or an ARN
_EXPECTED: Final = {
    "secret_id": "a secret's name or ARN",
    "force": "true or false",
    "resend": "the claim ID that RefreshOutcomeUnknown names",
    "dry_run": "true or false",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trigger:
    """What starts a run, and what the run should do."""

    name: str
    """`schedule`, `on_demand`, `fleet` or `cli`."""
    secret_id: str | None = None
    """The secret that the event names; None if it names none."""
    force: bool = False
    """Override that nothing is due, a rejection, and the backoff."""
    resend: str | None = None
    """The claim of an attempt of unknown outcome, whose refresh token is to be sent again."""
    dry_run: bool = False
    probe: bool = False
    """Whether a fleet's run begins although a breaker is open."""
    once: bool = False
    """Whether to repeat no lost request: the last ones failed, and nobody knows whether the host is back."""


def read_event(event: object) -> Trigger:
    """Parse an event from EventBridge, EventBridge Scheduler or an on-demand invocation; an error names the key."""
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"the event must be a JSON object, and is a JSON {json_type(event)}")
    if not event or is_scheduled(event):
        return Trigger(name="schedule")
    for key, value in event.items():
        if key not in _EXPECTED:
            # An event can hold anything, so a key is quoted only if it looks like one.
            quoted = f"key {key}" if isinstance(key, str) and re.fullmatch(r"[A-Za-z_-]{1,40}", key) else "a key"
            raise InvalidEvent(f"the event has {quoted}, which is unknown; expected are {', '.join(_EXPECTED)}")
        if not _fits(key, value):
            # Without quoting the value.
            what = "a string of another kind" if isinstance(value, str) else f"a JSON {json_type(value)}"
            raise InvalidEvent(f"the event's {key} must be {_EXPECTED[key]}, and is {what}")
    return Trigger(
        name="on_demand",
        secret_id=event.get("secret_id"),
        force=event.get("force", False),
        resend=event.get("resend"),
        dry_run=event.get("dry_run", False),
    )


def is_queue_event(event: object) -> bool:
    """Whether the event is a batch of a fleet's queue."""
    return isinstance(event, Mapping) and "Records" in event


def read_messages(event: object) -> list[Trigger]:
    """Read a batch of a fleet's queue, and give what each message starts."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise InvalidEvent("the event's Records must be a list of SQS messages")
    return [_read_message(record) for record in records]


def _read_message(record: object) -> Trigger:
    if not isinstance(record, Mapping) or record.get("eventSource") != "aws:sqs":
        raise InvalidEvent("each of the event's Records must have eventSource aws:sqs")
    try:
        body = json.loads(record["body"])
    except (KeyError, TypeError, ValueError, RecursionError):
        body = None
    body = body if isinstance(body, dict) else {}
    secret_id = body.get("secret_id")
    if not _fits("secret_id", secret_id):
        raise InvalidEvent('the body of each message must be {"secret_id": "the ARN of a secret"}')
    return Trigger(name="fleet", secret_id=str(secret_id), probe=body.get("probe") is True)


def check_secret(trigger: Trigger, token_secret_id: str) -> None:
    """Accept an event for the configured secret alone: endpoint, client and published secret are the function's."""
    if trigger.secret_id is not None and not name_same_secret(trigger.secret_id, token_secret_id):
        raise InvalidEvent(
            f"the event's secret_id is not the secret of this function (TOKEN_SECRET_ID={token_secret_id}); leave "
            "secret_id out, or invoke the function that is deployed for that secret"
        )


def is_scheduled(event: object) -> bool:
    """Whether EventBridge or EventBridge Scheduler sent the event; other keys have no meaning here."""
    # Tuples, not sets: an event can hold what has no hash.
    return (
        isinstance(event, Mapping)
        and event.get("source") in ("aws.events", "aws.scheduler")
        and event.get("detail-type") == "Scheduled Event"
    )


def _fits(key: str, value: object) -> bool:
    pattern = {"secret_id": _SECRET_ID, "resend": CLAIM_ID}.get(key)
    if pattern is None:
        return isinstance(value, bool)
    return isinstance(value, str) and pattern.fullmatch(value) is not None
