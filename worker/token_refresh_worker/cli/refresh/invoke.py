"""Invoke the deployed function, and print what its log says."""

import base64
import json
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from token_refresh import errors as named
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.screen import errors, show_result, text
from token_refresh_worker.cli.context import NO_SUCH_FUNCTION, Context

_FUNCTION_CONFIG: Final = Config(
    # As long as a function may run, and one attempt: a repeat would be a second run.
    connect_timeout=3,
    read_timeout=910,
    retries={"total_max_attempts": 1, "mode": "standard"},
)
_PRINTED: Final = ("outcome", "error_type", "attempts", "duration_ms", "seconds_to_expiry", "version_id")
"""What is printed of a line of the function's log beside its level and event; nothing else is."""

_RESULT: Final = ("outcome", "secret_id", "version_id", "expires_at", "due_at", "request_id", "retry_at")


def invoke(context: Context, function: str, *, force: bool, dry_run: bool, as_json: bool) -> int:
    """Invoke the function on demand.

    Raises:
        CommandFailed: It could not be invoked, or failed.
    """
    event: dict[str, object] = {"force": force, "dry_run": dry_run}
    # Only if one was named: the function refuses an event for a secret that is not its own.
    if secret_id := context.environment.get("TOKEN_SECRET_ID"):
        event["secret_id"] = secret_id
    with errors().status(f"waiting for {function}"):
        response = _call(context, function, event)
    _print_log(response.get("LogResult", ""))
    payload = _read_payload(response["Payload"].read())
    if response.get("FunctionError") or "outcome" not in payload:
        raise _failure(function, payload)
    result = {name: str(payload[name]) for name in _RESULT if payload.get(name) is not None}
    show_result(result, as_json=as_json)
    return 0


def _call(context: Context, function: str, event: dict[str, object]) -> dict[str, Any]:
    service = context.client("lambda", _FUNCTION_CONFIG)
    try:
        response: dict[str, Any] = service.invoke(FunctionName=function, LogType="Tail", Payload=json.dumps(event))
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        if code == NO_SUCH_FUNCTION:
            raise context.no_function(function) from None
        raise CommandFailed(
            f"function {function} in {service.meta.region_name} could not be invoked (lambda:InvokeFunction, {code})",
            fix=("check the region and your permissions: ", context.command("doctor", "--function", function)),
        ) from None
    return response


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
    return CommandFailed(
        f"function {function} failed with {error_type}{f': {message}' if _is_ours(error_type) else ''}"
    )


def _is_ours(error_type: str) -> bool:
    found = getattr(named, error_type, None)
    return isinstance(found, type) and issubclass(found, named.TokenRefreshError)


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
