"""`token-refresh doctor`: walk through everything that can be wrong, and say what to do."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from token_refresh.bootstrap import environment
from token_refresh.cli.aws import region_name
from token_refresh.cli.checks import Check, Grade, asks_all_of_aws
from token_refresh.cli.checks_function import check_alarms, check_function
from token_refresh.cli.checks_provider import check_token_endpoint
from token_refresh.cli.checks_secret import (
    check_caller,
    check_clock,
    check_consumer,
    check_credentials,
    check_document,
    check_last_run,
    check_permissions,
    check_region,
    check_state,
    explain_unreadable,
)
from token_refresh.cli.options import command
from token_refresh.cli.screen import output, print_json
from token_refresh.cli.state import State, read_state
from token_refresh.config import Settings, read_settings
from token_refresh.errors import ConfigurationError, TokenRefreshError

_MARKS = {
    Grade.OK: ("ok", "green"),
    Grade.LOOK: ("look", "yellow"),
    Grade.FAILED: ("FAILED", "bold red"),
    Grade.SKIPPED: ("skipped", "dim"),
}


@command(
    "token-refresh doctor",
    "token-refresh doctor --function token-refresh-prod",
    "token-refresh doctor --consumer-version 1b2c3d4e-...",
)
def doctor(
    *,
    function: Annotated[
        str | None, typer.Option(help="The deployed function, to be checked, too.", show_default=False)
    ] = None,
    consumer_version: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION_ID", help="The version ID that a consumer reports: is its cache stale?", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> int:
    """Walk through everything that can be wrong, and say what to do; it changes and redeems nothing.

    Exit status: 0 nothing failed, 1 something did; 64 for a wrong option.
    """
    found: list[Check] = []
    for check in _all(function, consumer_version):
        found.append(check)
        if not as_json:
            _show(check)
    failed = sum(check.grade is Grade.FAILED for check in found)
    if as_json:
        checks = [{"name": c.name, "grade": c.grade.value, "text": c.text, "remedy": c.remedy} for c in found]
        print_json({"failed": failed, "checks": checks})
    else:
        output().print("\n" + (f"{failed} failed." if failed else "Nothing failed."), style="bold")
    return int(failed > 0)


def _show(check: Check) -> None:
    word, style = _MARKS[check.grade]
    line = Table.grid(padding=(0, 1))
    line.add_column(width=7)
    line.add_row(Text(word, style=style), Text.assemble((check.name, "bold"), f": {check.text}"))
    if check.remedy is not None:
        line.add_row("", Text(f"-> {check.remedy}"))
    output().print(line)


def _all(function: str | None, consumer_version: str | None) -> Iterator[Check]:
    try:
        settings, region = read_settings(environment()), region_name()
    except ConfigurationError as failure:
        yield Check(name="configuration", grade=Grade.FAILED, text=str(failure))
        return
    yield check_region(region)
    yield check_caller()
    yield check_clock(settings.token_secret_id)
    state: State | None = None
    try:
        state = read_state()
    except TokenRefreshError as failure:
        yield explain_unreadable(settings.token_secret_id, region, failure)
    if state is not None:
        yield from _of_secret(state, settings, consumer_version)
    yield check_token_endpoint(settings, state)
    yield from _of_deployment(function, settings)


def _of_secret(state: State, settings: Settings, consumer_version: str | None) -> Iterator[Check]:
    yield check_document(state)
    yield from check_state(state)
    yield check_last_run(state)
    yield check_credentials(state, settings)
    yield check_permissions(state)
    yield check_consumer(state, consumer_version)


def _of_deployment(function: str | None, settings: Settings) -> Iterator[Check]:
    if function is not None:
        yield from check_function(function, settings)
    else:
        text = "not looked at, nor its role and schedule: give --function NAME"
        yield Check(name="function", grade=Grade.SKIPPED, text=text)
    if asks_all_of_aws():
        yield check_alarms(settings)
