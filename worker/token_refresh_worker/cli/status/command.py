"""`token-refresh status`: one secret on one screen, and an exit status for monitoring."""

import signal
import threading
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from token_refresh.advice import Advice
from token_refresh.errors import InvalidSecretDocument, SecretEmpty, SecretNotFound, TokenRefreshError
from token_refresh_worker.cli.console.command import command
from token_refresh_worker.cli.console.options import Json
from token_refresh_worker.cli.console.screen import message, output, print_json, show
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.finding import Health
from token_refresh_worker.cli.secret.health import examine, health_of
from token_refresh_worker.cli.secret.state import read_state
from token_refresh_worker.cli.status.layout import as_fields, lay_out


def _health_after(failure: TokenRefreshError) -> Health:
    """Say what an error tells: how the secret is, or nothing."""
    is_gone = isinstance(failure, SecretNotFound) and failure.is_deleted
    broken = is_gone or isinstance(failure, SecretEmpty | InvalidSecretDocument)
    return Health.BROKEN if broken else Health.UNKNOWN


@command(
    "status", "", "upwork-oauth-tokens --region eu-central-1", "--json", "--watch --interval 10", failed=Health.UNKNOWN
)
def status(
    context: Context,
    *,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Print it again and again, until Ctrl-C.")] = False,
    interval: Annotated[int, typer.Option(min=1, max=3600, help="Seconds between two reads with --watch.")] = 5,
) -> int:
    """Show the state of a token secret.

    Exit status: 0 healthy, 1 needs attention soon, 2 broken, 3 unknown; 64 for a wrong option.
    """
    if as_json:
        return _print_json(context)
    if watch:
        return _watch(context, interval)
    health, parts = _read(context)
    show(output(), *parts)
    return health


def _read(context: Context) -> tuple[Health, list[RenderableType]]:
    """Read the state and lay it out.

    Raises:
        TokenRefreshError: The health is unknown.
    """
    try:
        state = read_state(context)
    except TokenRefreshError as failure:
        if _health_after(failure) is Health.UNKNOWN:
            raise
        return Health.BROKEN, message("  ", *_named(failure), head=("BROKEN", "bold red"))
    findings = examine(state)
    return health_of(findings), lay_out(state, findings)


def _named(failure: TokenRefreshError) -> Advice:
    return (f"{type(failure).__name__}: ", *failure.parts)


def _watch(context: Context, interval_seconds: int) -> int:
    health, parts = _read(context)  # A first read that fails ends the command: a typing error must not be watched.
    # An exception from a signal can be lost in a library's cleanup; a flag can't.
    ended = threading.Event()
    previous = signal.signal(signal.SIGINT, lambda *_: ended.set())
    try:
        with Live(Group(*parts), console=output(), auto_refresh=False, screen=False) as live:
            while not ended.wait(interval_seconds):
                try:
                    health, parts = _read(context)
                except TokenRefreshError as failure:
                    health, parts = Health.UNKNOWN, message(*_named(failure))
                live.update(Group(*parts), refresh=True)
    finally:
        signal.signal(signal.SIGINT, previous)
    return health


def _print_json(context: Context) -> int:
    try:
        state = read_state(context)
    except TokenRefreshError as failure:
        health = _health_after(failure)
        print_json({"health": health.name.lower(), "error_type": type(failure).__name__, "error": str(failure)})
        return health
    findings = examine(state)
    print_json(as_fields(state, findings))
    return health_of(findings)
