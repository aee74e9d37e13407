"""`token-refresh status`: one secret on one screen, and an exit status for monitoring."""

import time
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from token_refresh.cli.health import Finding, Health, examine, health_of, next_step
from token_refresh.cli.options import command
from token_refresh.cli.screen import bar, fields_table, iso, output, print_json, relative, span, when, when_from
from token_refresh.cli.state import Result, State, read_state
from token_refresh.core.attempts import DAY
from token_refresh.core.steps import Hold, Wait
from token_refresh.errors import InvalidSecretDocument, SecretEmpty, TokenRefreshError

_STYLES = {Health.HEALTHY: "green", Health.ATTENTION: "yellow", Health.BROKEN: "red", Health.UNKNOWN: "magenta"}
_BROKEN_AS_STORED = (SecretEmpty, InvalidSecretDocument)
"""Failures to read that say how the secret is; any other says that it could not be told."""


@command(
    "token-refresh status",
    "token-refresh status my-app/prod/upwork --region eu-central-1",
    "token-refresh status --json",
    "token-refresh status --watch --interval 10",
    failed=Health.UNKNOWN,
)
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    interval: Annotated[int, typer.Option(min=1, max=3600, help="Seconds between two looks of --watch.")] = 5,
) -> int:
    """Show the state of a token secret.

    Exit status: 0 healthy, 1 needs attention soon, 2 broken, 3 could not tell; 64 for a wrong option.
    """
    if as_json:
        return _print_json()
    if watch:
        return _watch(interval)
    health, screen = _look()
    output().print(screen)
    return health


def _look() -> tuple[Health, RenderableType]:
    """Read the state and lay it out.

    Raises:
        TokenRefreshError: It could not be told.
    """
    try:
        state = read_state()
    except _BROKEN_AS_STORED as failure:
        line = Text.assemble(("BROKEN", "bold red"), f"  {type(failure).__name__}: {failure}")
        return Health.BROKEN, line
    findings = examine(state)
    return health_of(findings), _screen(state, findings)


def _watch(interval_seconds: int) -> int:
    health, screen = _look()
    with Live(screen, console=output(), auto_refresh=False, screen=False) as live:
        try:
            while True:
                time.sleep(interval_seconds)
                try:
                    health, screen = _look()
                except TokenRefreshError as failure:
                    health, screen = Health.UNKNOWN, Text(f"{type(failure).__name__}: {failure}")
                live.update(screen, refresh=True)
        except KeyboardInterrupt:
            return health


def _print_json() -> int:
    try:
        state = read_state()
    except TokenRefreshError as failure:
        health = Health.BROKEN if isinstance(failure, _BROKEN_AS_STORED) else Health.UNKNOWN
        print_json({"health": health.name.lower(), "error_type": type(failure).__name__, "error": str(failure)})
        return health
    findings = examine(state)
    print_json(as_fields(state, findings))
    return health_of(findings)


def _screen(state: State, findings: list[Finding]) -> RenderableType:
    health, now, current = health_of(findings), state.snapshot.now, state.snapshot.current
    head = Text.assemble((health.name, f"bold {_STYLES[health]}"), f"  {state.secret_id} in {state.region}")
    table = fields_table(
        [
            ("current version", current.version_id),
            ("labels", ", ".join(sorted(current.labels))),
            ("stored", when_from(state.stored_at, now)),
            ("expires", _expires(state)),
            ("", _bar(state, _STYLES[health])),
            ("due", when_from(state.due_at, now) if state.due_at else "now"),
            ("next run", next_step(state)),
            ("published copy", _published(state)),
        ]
    )
    parts: list[RenderableType] = [head, "", table]
    if findings:
        parts += ["", *map(_told, findings)]
    if state.attempts:
        parts += ["", _attempts(state)]
    return Group(*parts)


def _expires(state: State) -> str:
    expires_at, now = state.document.expires_at, state.snapshot.now
    return "not known" if expires_at is None else when_from(expires_at, now)


def _bar(state: State, style: str) -> Text | None:
    document, left, due = state.document, state.left, state.due_at
    if document.expires_at is None or left is None or due is None:
        return None
    whole = document.lifetime or DAY  # A set that someone else stored does not say how long it lives.
    return Text.assemble(bar(left / whole, (document.expires_at - due) / whole, style), f" of {span(whole)}, ┃ due")


def _published(state: State) -> str | None:
    if state.published_secret_id is None:
        return None
    return f"{state.published_secret_id} {'lags behind' if state.published_lags else 'shows the current version'}"


def _told(finding: Finding) -> Text:
    return Text.assemble(("! ", f"bold {_STYLES[finding.health]}"), f"{finding.text}\n  -> {finding.remedy}")


def _attempts(state: State) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left", title="Last attempts to refresh")
    for column in ("claimed", "", "attempt", "result", "version"):
        table.add_column(column, style="dim" if column == "version" else "", no_wrap=column == "claimed")
    for past in state.attempts:
        result = past.result.value.replace("_", " ")
        table.add_row(
            when(past.claimed_at),
            relative(past.claimed_at - state.snapshot.now),
            str(past.attempt),
            Text(
                result + (f" ({past.error})" if past.error else ""),
                style="" if past.result in {Result.REFRESHED, Result.IN_PROGRESS} else "yellow",
            ),
            "" if past.version_id is None else past.version_id[:8],
        )
    return table


def as_fields(state: State, findings: list[Finding]) -> dict[str, Any]:
    """Give the state for machines."""
    step = state.step
    retry_at = step.until if isinstance(step, Wait | Hold) else None
    return {
        "health": health_of(findings).name.lower(),
        "findings": [{"health": f.health.name.lower(), "text": f.text, "remedy": f.remedy} for f in findings],
        "secret_id": state.secret_id,
        "region": state.region,
        "version_id": state.snapshot.current.version_id,
        "labels": sorted(state.snapshot.current.labels),
        "stored_at": iso(state.stored_at),
        "expires_at": iso(state.document.expires_at),
        "seconds_to_expiry": None if state.left is None else round(state.left.total_seconds()),
        "due_at": iso(state.due_at),
        "next_step": type(step).__name__.lower(),
        "retry_at": iso(retry_at),
        "attempts": [
            {
                "claimed_at": iso(past.claimed_at),
                "claim_id": past.claim_id,
                "attempt": past.attempt,
                "result": past.result.value,
                "error": past.error,
                "version_id": past.version_id,
            }
            for past in state.attempts
        ],
        "published": None
        if state.published_secret_id is None
        else {"secret_id": state.published_secret_id, "lags": state.published_lags},
    }
