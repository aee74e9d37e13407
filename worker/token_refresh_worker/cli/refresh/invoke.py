"""Invoke the deployed function, and print what its log says."""

import base64
import json
from typing import Any, Final

from token_refresh import errors as named
from token_refresh.aws.calls import call
from token_refresh.aws.clients import ClientLimits
from token_refresh.aws.request import AwsRequest
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.screen import errors, show_result, text
from token_refresh_worker.cli.context import Context
from token_refresh_worker.run.events import Trigger

# As long as a function may run, and one attempt: a repeat would be a second run.
_LIMITS: Final = ClientLimits(connect_seconds=3, read_seconds=910, attempts=1)
_PRINTED: Final = ("outcome", "error_type", "attempts", "duration_ms", "seconds_to_expiry", "version_id")
"""What is printed of a line of the function's log beside its level and event; nothing else is."""

_RESULT: Final = ("outcome", "secret_id", "version_id", "expires_at", "due_at", "request_id", "retry_at")


def invoke(context: Context, function: str, trigger: Trigger, *, as_json: bool) -> int:
    """Invoke the function on demand.

    Raises:
        CommandFailed: It failed.
        TokenRefreshError: It could not be invoked.
    """
    event: dict[str, object] = {"force": trigger.force, "dry_run": trigger.dry_run}
    if trigger.resend is not None:
        event["resend"] = trigger.resend
    # Only if one was named: the function refuses an event for a secret that is not its own.
    if secret_id := context.environment.get("TOKEN_SECRET_ID"):
        event["secret_id"] = secret_id
    with errors().status(f"waiting for {function}"):
        response = _call(context, function, event)
    _print_log(response.get("LogResult", ""))
    payload = _read_payload(response["Payload"])
    if response.get("FunctionError") or "outcome" not in payload:
        raise _failure(function, payload)
    result = {name: str(payload[name]) for name in _RESULT if payload.get(name) is not None}
    show_result(result, as_json=as_json)
    return 0


def _call(context: Context, function: str, event: dict[str, object]) -> dict[str, Any]:
    client = context.client("lambda", _LIMITS)

    def ask() -> dict[str, Any]:
        response = client.invoke(FunctionName=function, LogType="Tail", Payload=json.dumps(event))
        return {**response, "Payload": response["Payload"].read()}

    return call(ask, lambda: AwsRequest("lambda:InvokeFunction", function, client.meta.region_name, "function"))


def _read_payload(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _failure(function: str, payload: dict[str, Any]) -> CommandFailed:
    """Give what the function raised; of an error that is not the worker's, only its type is printed."""
    error_type, message = str(payload.get("errorType", "")), str(payload.get("errorMessage", ""))
    if not error_type:
        return CommandFailed(f"function {function} returned no result of a run; is it the refresh worker?")
    found = getattr(named, error_type, None)
    is_ours = isinstance(found, type) and issubclass(found, named.TokenRefreshError)
    return CommandFailed(f"function {function} failed with {error_type}{f': {message}' if is_ours else ''}")


def _print_log(tail: str) -> None:
    console = errors()
    for line in base64.b64decode(tail).decode(errors="replace").splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # Lambda's own START and REPORT lines.
        if isinstance(fields, dict) and "event" in fields:
            details = "  ".join(f"{name}={fields[name]}" for name in _PRINTED if name in fields)
            console.print(text(f"| {fields.get('level', 'info')} {fields['event']}  {details}".rstrip(), "dim"))
