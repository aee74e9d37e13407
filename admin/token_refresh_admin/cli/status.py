"""`token-refresh status`: one secret on one screen, and an exit status for monitoring."""

import signal
import sys
import threading
from contextlib import nullcontext
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from token_refresh.advice import Advice
from token_refresh.errors import InvalidSecretDocument, SecretEmpty, SecretNotFound, TokenRefreshError
from token_refresh_admin.changes.change import CLIENT_KEYS
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import error_fields
from token_refresh_admin.cli.finding import Finding, Health
from token_refresh_admin.cli.health import examine, explain_attempt, health_of, name_of_step, say_next_step
from token_refresh_admin.cli.replicas import words_for
from token_refresh_admin.cli.screen import (
    ago,
    assemble,
    bar,
    fields_table,
    in_json,
    message,
    output,
    print_json,
    show,
    text,
    when_from,
)
from token_refresh_admin.cli.state import SecretState, read_state
from token_refresh_admin.cli.surroundings import is_prolonged
from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.core.pauses import pause_of
from token_refresh_worker.core.steps import SettingsMismatch
from token_refresh_worker.run.failures import span, utc


@command(
    "status", "", "upwork-oauth-tokens --region eu-central-1", "--json", "--watch --interval 10", failed=Health.UNKNOWN
)
def status(
    context: Context,
    *,
    as_json: Json = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print it again and again, until Ctrl-C; with --json one object a line.")
    ] = False,
    interval: Annotated[int, typer.Option(min=1, max=3600, help="Seconds between two reads with --watch.")] = 5,
) -> int:
    """Show the state of a token secret.

    Exit status: 0 healthy, 1 needs attention soon, 2 broken, 3 unknown; 64 for a wrong option.
    """
    if watch:
        return _watch(context, interval, as_json=as_json)
    health, parts = _read(context, as_json=as_json)
    if not as_json:
        show(output(), *parts)
    return health


def _read(context: Context, *, as_json: bool, on_one_line: bool = False) -> tuple[Health, list[RenderableType]]:
    """Read the secret, and lay out how it is; print that as JSON, if that is wanted."""
    try:
        state = read_state(context)
    except TokenRefreshError as failure:
        said = context.source.unproven or failure  # With other settings it may be none, and what writes is refused.
        is_gone = isinstance(said, SecretNotFound) and said.is_deleted
        is_broken = is_gone or isinstance(said, SecretEmpty | InvalidSecretDocument)
        # Other errors say nothing of the secret.
        health, fields = Health.BROKEN if is_broken else Health.UNKNOWN, error_fields(said)
        if not (is_broken or as_json):
            raise said from None
        parts = message("  ", *_named(said), head=("BROKEN", "bold red"))
    else:
        findings = examine(state)
        health, fields, parts = health_of(findings), state_fields(state, findings), lay_out_state(state, findings)
    if as_json:
        print_json({"health": health.name.lower(), **fields}, on_one_line=on_one_line)
        sys.stdout.flush()
    return health, parts


def _named(failure: TokenRefreshError) -> Advice:
    return (f"{type(failure).__name__}: ", *failure.parts)


def _watch(context: Context, interval_seconds: int, *, as_json: bool) -> int:
    # A first read that fails ends the command: a typing error must not be watched.
    health, parts = _read(context, as_json=as_json, on_one_line=True)
    if as_json and health is Health.UNKNOWN:
        return health
    # An exception from a signal can be lost in a library's cleanup; a flag can't.
    ended = threading.Event()
    previous = signal.signal(signal.SIGINT, lambda *_: ended.set())
    try:
        with nullcontext() if as_json else Live(Group(*parts), console=output(), auto_refresh=False) as live:
            while not ended.wait(interval_seconds):
                try:
                    health, parts = _read(context, as_json=as_json, on_one_line=True)
                except TokenRefreshError as failure:
                    health, parts = Health.UNKNOWN, message(*_named(failure))
                if live is not None:
                    live.update(Group(*parts), refresh=True)
    finally:
        signal.signal(signal.SIGINT, previous)
    return health


_STYLES = {Health.HEALTHY: "green", Health.ATTENTION: "yellow", Health.BROKEN: "red", Health.UNKNOWN: "magenta"}
_NARROW: Final = 64
"""Below so many columns, the list of attempts keeps what matters most."""


def lay_out_state(state: SecretState, findings: list[Finding]) -> list[RenderableType]:
    """Lay the state out on one screen, part below part."""
    health, now, current = health_of(findings), state.snapshot.now, state.snapshot.current
    expires_at, where = state.document.expires_at, f"  {state.context.secret_id} in {state.context.region}"
    table = fields_table(
        [
            ("current version", current.version_id),
            ("labels", ", ".join(sorted(current.labels))),
            ("stored", f"{utc(current.stored_at)} ({ago(current.stored_at, now)})"),
            ("expires", when_from(expires_at, now) if expires_at else "unknown"),
            ("", _bar(state, _STYLES[health])),
            ("due", when_from(state.due_at, now) if state.due_at else "now"),
            ("next run", None if state.context.source.unproven else say_next_step(state)),
            ("grant ends", _grant_ends(state)),
            ("provider", _provider(state)),
            ("claims", _claims(state)),
            ("client", _client(state)),
            ("published copy", _published(state)),
            ("replicas", _replicas(state)),
        ]
    )
    parts: list[RenderableType] = [assemble((health.name, f"bold {_STYLES[health]}"), where), "", table]
    if findings:
        parts.append("")
    for finding in findings:
        head = ("! ", f"bold {_STYLES[finding.health]}")
        parts += [assemble(head, finding.text), *message(*finding.remedy, head="-> ", indent=2)]
    if state.attempts:
        parts += ["", _attempts(state)]
    return parts


def _grant_ends(state: SecretState) -> str | None:
    end = state.grant_end
    if end is None:
        return None
    prolonged = ", unless a refresh prolongs it" if is_prolonged(state) else ""
    return when_from(end.at, state.snapshot.now) + prolonged


def _bar(state: SecretState, style: str) -> Text | None:
    document, left, due = state.document, state.left, state.due_at
    if document.expires_at is None or left is None or due is None:
        return None
    whole = state.lifetime or DAY
    return Text.assemble(bar(left / whole, (document.expires_at - due) / whole, style), text(f" of {span(whole)}"))


def _provider(state: SecretState) -> str:
    grace = state.snapshot.counted_grace(state.settings.policy)
    used = f"accepts a refresh token again for {span(grace)}" if grace else "single use"
    used = used if state.settings.provider.needs_refresh_token else "no refresh token"
    return f"{state.settings.provider.title} at {state.host}; {used}"


def _claims(state: SecretState) -> str:
    if isinstance(state.step, SettingsMismatch) and state.step.setting == "CLAIM_TABLE":
        return "not read: they are not where the settings say"
    used, limit = state.claims_today
    return f"in {state.settings.policy.claim_store}; {used} of {limit} in 24 h"


def _client(state: SecretState) -> str:
    """Say where the client credentials are looked for, so that nobody takes what was not checked for healthy."""
    named = state.settings.client_secret_id
    if named is not None:
        return f"in secret {named}"
    if any(name in state.document.fields for name in CLIENT_KEYS):
        return "beside the tokens"
    if state.settings.client is not None:
        return "in the environment"
    return "nowhere" if state.context.source.function else _not_looked_at(state)


def _not_looked_at(state: SecretState) -> str:
    return f"not checked{'' if state.context.source.unproven else ' without --function NAME'}"


def _published(state: SecretState) -> str | None:
    name, context = state.settings.published_secret_id, state.context
    if name is None:
        return None if context.source.function else _not_looked_at(state)
    return f"{name}: {_copy(state)}"


def _copy(state: SecretState) -> str:
    copy = state.snapshot.published
    if state.publish_failure:
        return "can't be read"
    if copy is None:
        return "no value yet"
    if copy.is_overwritten:
        return "overwritten"
    if state.published_is_older:
        return "an older version"
    return "the current access token" if state.published_lags else "the current version"


def _replicas(state: SecretState) -> str | None:
    if state.replicas is None:
        return f"not checked: needs secretsmanager:DescribeSecret on {state.settings.published_secret_id}"
    return words_for(state.replicas) or None


def _attempts(state: SecretState) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left", title="Last attempts to refresh")
    narrow = output().width < _NARROW
    for column in ("", "result") if narrow else ("claimed", "", "attempt", "result", "version"):
        table.add_column(column, style="dim" if column == "version" else "", no_wrap=column in {"claimed", ""})
    for past in state.attempts:
        claimed_at, forced = past.attempt.claimed_at, ", forced" if past.attempt.forced else ""
        since = ago(claimed_at, state.snapshot.now)
        result = text(explain_attempt(past) + forced, "" if past.is_fine else "yellow")
        if narrow:
            table.add_row(since, result)
        else:
            version = text((past.version_id or "")[:8])
            table.add_row(utc(claimed_at), since, str(past.attempt.attempt_number), result, version)
    return table


def state_fields(state: SecretState, findings: list[Finding]) -> dict[str, Any]:
    """Return the state for machines."""
    step, current, published = state.step, state.snapshot.current, state.settings.published_secret_id
    used, limit = state.claims_today
    pause, copy = pause_of(state.snapshot), state.snapshot.published
    safe_cache = state.settings.provider.longest_safe_cache(state.lifetime)
    return {
        "findings": [{"health": f.health.name.lower(), "text": f.text, "remedy": in_json(f.remedy)} for f in findings],
        "secret_id": state.context.secret_id,
        "region": state.context.region,
        "version_id": current.version_id,
        "labels": sorted(current.labels),
        "stored_at": current.stored_at,
        "expires_at": state.document.expires_at,
        "seconds_to_expiry": None if state.left is None else round(state.left.total_seconds()),
        "due_at": state.due_at,
        "longest_safe_cache_seconds": round(safe_cache.total_seconds()),
        "grant_ends_at": state.grant_end and state.grant_end.at,
        "next_step": None if state.context.source.unproven else name_of_step(type(step)),
        "retry_at": state.retry_at,
        "scopes_lost": len(state.document.origin.scopes_lost) if state.document.origin else 0,
        "paused": None if pause is None else {"until": pause.until, "why": pause.why},
        "provider": state.settings.provider.name,
        "host": state.host,
        "grace_seconds": state.snapshot.counted_grace(state.settings.policy).total_seconds(),
        "claims": {
            **state.settings.policy.claim_store.as_fields(),
            "number": state.snapshot.claim_number,
            "used": used,
            "limit": limit,
        },
        "attempts": [
            {
                "claimed_at": past.attempt.claimed_at,
                "claim_id": past.attempt.claim_id,
                "attempt": past.attempt.attempt_number,
                "forced": past.attempt.forced,
                "result": past.result.value,
                "error": past.error,
                "version_id": past.version_id,
            }
            for past in state.attempts
        ],
        "published": None
        if published is None
        else {
            "secret_id": published,
            "lags": state.published_lags,
            "overwritten": copy is not None and copy.is_overwritten,
        },
        "replicas": None
        if state.replicas is None
        else [{"region": replica.region, "status": replica.status.value} for replica in state.replicas],
    }
