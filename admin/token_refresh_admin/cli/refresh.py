"""`token-refresh refresh`: the same run as the function's, from here; or the deployed function's, with its log."""

import base64
import json
from contextlib import nullcontext, suppress
from typing import Annotated, Any, Final

import typer

from token_refresh.aws.calls import call
from token_refresh.aws.clients import ClientLimits
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import ClientRejected, TokenRefreshError, error_named
from token_refresh_admin.changes.change import CLIENT_KEYS
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import CommandFailed, finishing
from token_refresh_admin.cli.health import client_remedy
from token_refresh_admin.cli.prompts import confirm
from token_refresh_admin.cli.screen import Errors, errors, fields_table, note, output, print_json, say, text
from token_refresh_admin.cli.state import read_state
from token_refresh_worker.adapters.table import with_whereabouts
from token_refresh_worker.adapters.telemetry import mask
from token_refresh_worker.core.schedule import FORCED_CLAIMS_A_DAY
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.outcome import OutcomeName

_SENTENCES = {
    "refresh_claimed": "claimed the right to refresh, attempt {attempt}",
    "token_request_failed": "the token endpoint sent no tokens: {seen}",
    "tokens_staged": "received tokens, stored as version {staged_version_id}",
    "tokens_carried": "stored received tokens on top of the edited copy, as version {staged_version_id}",
    "tokens_promoted": "version {version_id} is current",
    "tokens_published": "updated the published copy",
    "promotion_refused": "another version became current meanwhile, and stays",
    "refresh_yielded": "yielded: {reason}",
}


@command("refresh", "", "--force", "--dry-run --json", "--invoke --force", writes=True)
def refresh(  # noqa: PLR0913 - options, each by its name
    context: Context,
    *,
    force: Annotated[bool, typer.Option("--force", help="Refresh even if no refresh is due.")] = False,
    resend: Annotated[
        str | None,
        typer.Option(
            "--resend",
            metavar="CLAIM",
            help="Send the refresh token again, although this attempt's outcome is unknown: that may end the grant.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a run would do; write and send nothing.")
    ] = False,
    invoked: Annotated[bool, typer.Option("--invoke", help="Let the deployed function do it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Refresh the tokens if that is due: the function's own run, with your AWS credentials.

    Exit status 0: the run ended without an error, even if it sent nothing. 1 or 2: it failed.
    """
    trigger = Trigger(name="cli", force=force, resend=resend, dry_run=dry_run)
    try:
        result = _invoke(context, trigger) if invoked else _run(context, trigger, ask=not (dry_run or yes))
    except TokenRefreshError as failure:
        if as_json and failure.retry_at is None:
            with suppress(TokenRefreshError):
                failure.retry_at = read_state(context).retry_at
        raise
    if result["outcome"] == OutcomeName.YIELDED and (rejected := _rejected_client(context)):
        raise rejected
    known = {name: value for name, value in result.items() if value is not None}
    if as_json:
        print_json(known)
        return 0
    say(known.pop("outcome").replace("_", " "), style="bold")
    output().print(fields_table((name.replace("_", " "), value) for name, value in known.items()))
    return 0


def _rejected_client(context: Context) -> CommandFailed | None:
    """Fail where a run waits after an attempt whose client the provider rejected: no later run corrects that."""
    with suppress(TokenRefreshError):
        state = read_state(context)
        last = state.attempts[0] if state.snapshot.on_version else None
        if last is not None and last.is_of_client:
            why = f"nothing was sent: the provider rejected the client at {utc(last.attempt.claimed_at)} ({last.error})"
            failure = CommandFailed(why, fix=client_remedy(state))
            failure.name, failure.retry_at = ClientRejected.__name__, state.retry_at
            return failure
    return None


def _run(context: Context, trigger: Trigger, *, ask: bool) -> dict[str, str | None]:
    if trigger.force and ask:
        _confirm_reserved(context)
    fields = context.stored()
    settings = context.settings_for(fields)
    stored = settings.client_secret_id or any(fields.get(name) for name in CLIENT_KEYS)
    if trigger.dry_run and not (stored or (settings.client and context.source.function)):
        where = "in your environment alone" if settings.client else "nowhere"
        why = f"the client credentials are {where}. A deployed function has none; store them: "
        note(why, context.command("client"), head=("warning: ", "yellow"))
    if ask and not context.names_provider(fields):
        confirm(f"Nothing names the provider of these tokens. Send the refresh token to {settings.provider.host}?")
    console = errors()
    ends_first = "The run ends first, since the refresh token may be redeemed and its tokens not stored yet."
    # After the questions: the status would draw over them.
    with console.status("refreshing"), nullcontext() if trigger.dry_run else finishing(ends_first):
        return context.run(settings, trigger, Progress(console)).execute().as_result(None)


def _confirm_reserved(context: Context) -> None:
    """Ask before a forced refresh takes one of the claims that are left for scheduled runs."""
    state = read_state(context)
    now = state.snapshot.now
    if state.snapshot.ledger.forced_again_at(FORCED_CLAIMS_A_DAY, now) > now:
        used, limit = state.claims_today
        confirm(
            f"{FORCED_CLAIMS_A_DAY} refreshes were forced in the last 24 hours. Another one takes a claim that is "
            f"reserved for scheduled runs ({used} of {limit} are used). Go on?"
        )


class Progress:
    """The run's log, for a person; masked as the function's."""

    def __init__(self, console: Errors) -> None:
        self._console = console

    def info(self, event: str, **fields: object) -> None:
        """Say what was done."""
        self._print("", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say what someone should look at."""
        self._print("yellow", event, fields)

    def _print(self, style: str, event: str, fields: dict[str, object]) -> None:
        sentence = _SENTENCES.get(event)
        line = event.replace("_", " ") if sentence is None else sentence.format_map(mask(fields))
        try:
            self._console.print(text(f"- {line}", style))
        except OSError:  # Such as a full disk. A run that has redeemed must store the tokens all the same.
            self._console.on_broken_pipe()


# As long as a function may run, and one attempt: a repeat would be a second run.
_LIMITS: Final = ClientLimits(connect_seconds=3, read_seconds=910, attempts=1)
_PRINTED: Final = ("outcome", "error_type", "attempts", "duration_ms", "seconds_to_expiry", "version_id")
"""What is printed of a line of the function's log beside its level and event; nothing else is."""

_RESULT: Final = ("outcome", "secret_id", "version_id", "expires_at", "due_at", "request_id", "retry_at")


def _invoke(context: Context, trigger: Trigger) -> dict[str, str | None]:
    function = context.source.function
    if function is None:
        context.arn_of(context.secret_id)  # Or the secret is elsewhere.
        raise CommandFailed(
            f"nothing names the function that refreshes secret {context.secret_id}",
            fix=("Name it: ", context.again("--function", "NAME")),
        )
    secret_id = context.arn_of(context.secret_id) if context.source.fleet else context.secret_id
    event: dict[str, object] = {"secret_id": secret_id, "force": trigger.force, "dry_run": trigger.dry_run}
    if trigger.resend is not None:
        event["resend"] = trigger.resend
    with errors().status(f"waiting for {function}"):
        response = _call(context, function, event)
    print_log(response.get("LogResult", ""))
    payload = _object(response["Payload"])
    if response.get("FunctionError") or "outcome" not in payload:
        raise _failure(function, payload)
    return {name: str(payload[name]) for name in _RESULT if payload.get(name) is not None}


def _call(context: Context, function: str, event: dict[str, object]) -> dict[str, Any]:
    client = context.client("lambda", _LIMITS)

    def ask() -> dict[str, Any]:
        response = client.invoke(FunctionName=function, LogType="Tail", Payload=json.dumps(event))
        return {**response, "Payload": response["Payload"].read()}

    return call(
        ask,
        lambda: with_whereabouts(AwsRequest("lambda:InvokeFunction", function, client.meta.region_name, "function")),
    )


def _object(written: bytes | str) -> dict[str, Any]:
    """Read a JSON object; empty if it is something else."""
    with suppress(ValueError):
        return parsed if isinstance(parsed := json.loads(written), dict) else {}
    return {}


def _failure(function: str, payload: dict[str, Any]) -> CommandFailed:
    """Return what the function raised; of an error that is not the worker's, only its type is printed."""
    error_type, message = str(payload.get("errorType", "")), str(payload.get("errorMessage", ""))
    if not error_type:
        return CommandFailed(f"function {function} returned no result of a run; is it the refresh worker?")
    found = error_named(error_type)
    if found is None:
        return CommandFailed(f"function {function} failed with {error_type}")
    failure = CommandFailed(f"function {function} failed with {error_type}: {message}")
    failure.name, failure.needs_person = error_type, found.needs_person
    return failure


def print_log(tail: str) -> None:
    """Print what a function's log says, and nothing but what is known to hold no secret."""
    console = errors()
    for line in base64.b64decode(tail).decode(errors="replace").splitlines():
        fields = _object(line)  # Empty for Lambda's own START and REPORT lines.
        if "event" in fields:
            details = "  ".join(f"{name}={fields[name]}" for name in _PRINTED if name in fields)
            console.print(text(f"| {fields.get('level', 'info')} {fields['event']}  {details}".rstrip(), "dim"))
