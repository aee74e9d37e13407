"""`token-refresh refresh`: the function's own run, from here; or the deployed function's, with its log."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from token_refresh.adapters.telemetry import mask
from token_refresh.cli.invoke import invoke
from token_refresh.cli.options import command
from token_refresh.cli.screen import errors, show_result
from token_refresh.cli.state import open_run

_TOLD = {
    "refresh_claimed": "claimed the right to refresh, attempt {attempt}",
    "token_request_failed": "the token endpoint did not give tokens: {seen}",
    "tokens_staged": "received tokens, stored as version {staged_version_id}",
    "tokens_carried": "put received tokens on top of the edited copy, as version {staged_version_id}",
    "tokens_promoted": "version {version_id} is current",
    "tokens_published": "published for consumers",
    "promotion_refused": "another version became current meanwhile, and stays",
    "refresh_yielded": "yielded: {reason}",
}


@command(
    "token-refresh refresh",
    "token-refresh refresh --force",
    "token-refresh refresh --dry-run --json",
    "token-refresh refresh --invoke token-refresh-prod --force",
)
def refresh(
    *,
    force: Annotated[bool, typer.Option("--force", help="Refresh also where nothing is due.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a run would do; write and send nothing.")
    ] = False,
    function: Annotated[
        str | None,
        typer.Option("--invoke", metavar="FUNCTION", help="Have the deployed function do it.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
) -> int:
    """Refresh the token set where that is due: the same run as the function's, with your own AWS credentials.

    Exit status: 0 whatever the outcome, 1 where the run failed.
    """
    if function is not None:
        return invoke(function, force=force, dry_run=dry_run, as_json=as_json)
    console = errors()
    with console.status("refreshing"):
        result = _run(console, force=force, dry_run=dry_run)
    show_result(result, as_json=as_json)
    return 0


def _run(console: Console, *, force: bool, dry_run: bool) -> dict[str, str | None]:
    _, run = open_run(force=force, dry_run=dry_run, log=_Progress(console))
    return run.execute().as_result(None)


class _Progress:
    """The run's log, for a person; masked as the function's own."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def info(self, event: str, **fields: object) -> None:
        self._tell("", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._tell("yellow", event, fields)

    def _tell(self, style: str, event: str, fields: dict[str, object]) -> None:
        masked = mask(fields)
        sentence = _TOLD.get(event)
        text = event.replace("_", " ") if sentence is None else sentence.format_map(masked)
        self._console.print(Text(f"- {text}", style=style))
