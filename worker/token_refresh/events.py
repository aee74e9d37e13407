"""The events that start a run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from token_refresh.errors import InvalidEvent

_SECRET_ID: Final = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}")  # `GetSecretValue`, SecretId: a name or an ARN
_EXPECTED: Final = {"secret_id": "a secret's name or ARN", "force": "true or false", "dry_run": "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What a run was asked to do, and by whom."""

    name: str
    """`schedule`, `on_demand` or `cli`."""
    secret_id: str | None = None
    """None for the configured one."""
    force: bool = False
    dry_run: bool = False


def read_event(event: object) -> Trigger:
    """Parse an event of EventBridge, EventBridge Scheduler or of an on-demand invocation.

    Raises:
        InvalidEvent: It is none of them; the message names the key and what was expected.
    """
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"the event must be a JSON object, and is a {type(event).__name__}")
    if not event or _is_scheduled(event):
        return Trigger(name="schedule")
    for key, value in event.items():
        if key not in _EXPECTED:
            # Only a key that looks like one is shown: anything may stand in an event.
            shown = f"key {key}" if isinstance(key, str) and re.fullmatch(r"[A-Za-z_-]{1,40}", key) else "a key"
            raise InvalidEvent(f"the event has {shown}, which is unknown; expected are {', '.join(_EXPECTED)}")
        if not _fits(key, value):
            raise InvalidEvent(f"the event's {key} must be {_EXPECTED[key]}, and is a {type(value).__name__}")
    return Trigger(
        name="on_demand",
        secret_id=event.get("secret_id"),
        force=event.get("force", False),
        dry_run=event.get("dry_run", False),
    )


def _is_scheduled(event: Mapping[str, object]) -> bool:
    """Whether EventBridge sent it; Scheduler's `detail` is the string `"{}"`, and other keys say nothing here."""
    return event.get("source") in {"aws.events", "aws.scheduler"} and event.get("detail-type") == "Scheduled Event"


def _fits(key: str, value: object) -> bool:
    if key == "secret_id":
        return isinstance(value, str) and _SECRET_ID.fullmatch(value) is not None
    return isinstance(value, bool)
