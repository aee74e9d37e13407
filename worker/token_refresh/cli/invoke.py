"""Have the deployed function run, and show what its log says."""

import base64
import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from token_refresh import errors as named
from token_refresh.adapters.telemetry import mask
from token_refresh.bootstrap import environment
from token_refresh.cli.aws import FUNCTION_CONFIG, client
from token_refresh.cli.failures import CommandFailed
from token_refresh.cli.screen import errors, show_result

_SHOWN = ("level", "event", "outcome", "error_type", "attempts", "duration_ms", "seconds_to_expiry", "version_id")
"""What is shown of a line of the function's log; every other field stays there."""


def invoke(function: str, *, force: bool, dry_run: bool, as_json: bool) -> int:
    """Invoke the function on demand.

    Raises:
        CommandFailed: It could not be invoked, or failed.
    """
    event: dict[str, object] = {"force": force, "dry_run": dry_run}
    if secret_id := environment().get("TOKEN_SECRET_ID"):
        event["secret_id"] = secret_id
    with errors().status(f"waiting for {function}"):
        answer = _call(function, event)
    _show_log(answer.get("LogResult", ""))
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError") or not isinstance(payload, dict):
        raise _failure(function, payload)
    show_result(payload, as_json=as_json)
    return 0


def _call(function: str, event: dict[str, object]) -> dict[str, Any]:
    service = client("lambda", FUNCTION_CONFIG)
    try:
        answer: dict[str, Any] = service.invoke(FunctionName=function, LogType="Tail", Payload=json.dumps(event))
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise CommandFailed(
            f"function {function} in {service.meta.region_name} could not be invoked (lambda:InvokeFunction, {code}); "
            "check its name, the region, and that you may invoke it"
        ) from None
    return answer


def _failure(function: str, payload: object) -> CommandFailed:
    """Give what the function raised; the worker's own errors hold no secret, and of others only the type is shown."""
    fields = payload if isinstance(payload, dict) else {}
    error_type, message = str(fields.get("errorType", "no result")), str(fields.get("errorMessage", ""))
    named = _is_ours(error_type)
    return CommandFailed(f"function {function} failed with {error_type}{f': {message}' if named else ''}")


def _is_ours(error_type: str) -> bool:
    found = getattr(named, error_type, None)
    return isinstance(found, type) and issubclass(found, named.TokenRefreshError)


def _show_log(tail: str) -> None:
    console = errors()
    for line in base64.b64decode(tail).decode(errors="replace").splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # Lambda's own START and REPORT lines.
        if isinstance(fields, dict) and "event" in fields:
            masked = mask({name: fields[name] for name in _SHOWN if name in fields})
            console.print(Text("| " + "  ".join(str(value) for value in masked.values()), style="dim"))
