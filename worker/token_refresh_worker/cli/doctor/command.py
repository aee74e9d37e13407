"""`token-refresh doctor`: check everything that can be wrong, and say what to do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table

from token_refresh.advice import in_words
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_worker.cli.console.command import command
from token_refresh_worker.cli.console.screen import assemble, message, output, print_json, show, text
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.caller import check_caller, check_clock, check_region
from token_refresh_worker.cli.doctor.check import Check, Grade
from token_refresh_worker.cli.doctor.consumers import check_consumer
from token_refresh_worker.cli.doctor.function import check_alarms, check_function
from token_refresh_worker.cli.doctor.permissions import check_permissions
from token_refresh_worker.cli.doctor.provider import check_token_endpoint
from token_refresh_worker.cli.doctor.secret import check_credentials, check_document, check_last_refresh, check_tokens
from token_refresh_worker.cli.secret.state import SecretState, read_state
from token_refresh_worker.run.settings import read_settings

_MARKS = {
    Grade.OK: ("ok", "green"),
    Grade.LOOK: ("look", "yellow"),
    Grade.FAILED: ("FAILED", "bold red"),
    Grade.SKIPPED: ("skipped", "dim"),
}


@command(
    "doctor",
    "",
    "--function token-refresh-prod",
    "--consumer-version 1b2c3d4e",
    as_deployed=False,
)
def doctor(
    context: Context,
    *,
    consumer_version: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION_ID",
            help="The version ID that a consumer reports, or its first characters: is its cache stale?",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> int:
    """Check everything that can be wrong, and say what to do.

    It redeems nothing and changes no token set. To try your permission to write, it stores one version without a
    token (label REFRESH_PROBE), once.

    Exit status: 0 nothing failed, 1 something did; 64 for a wrong option.
    """
    found: list[Check] = []
    for check in _checks(context, consumer_version):
        found.append(check)
        if not as_json:
            _show(check)
    failed = sum(check.grade is Grade.FAILED for check in found)
    if as_json:
        checks = [
            {"name": c.name, "grade": c.grade.value, "text": c.text, "remedy": in_words(c.remedy) or None}
            for c in found
        ]
        print_json({"failed": failed, "checks": checks})
    else:
        output().print(text("\n" + (f"{failed} failed." if failed else "Nothing failed."), "bold"))
    return int(failed > 0)


def _show(check: Check) -> None:
    word, style = _MARKS[check.grade]
    line = Table.grid(padding=(0, 1))
    line.add_column(width=7)
    line.add_column(overflow="fold")  # A version ID or an ARN is of use only as a whole.
    line.add_row(text(word, style), assemble((check.name, "bold"), f": {check.text}"))
    remedy = message(*check.remedy, head="-> ", indent=8) if check.remedy else []
    show(output(), line, *remedy)


def _checks(context: Context, consumer_version: str | None) -> Iterator[Check]:
    operator = context  # The operator's own settings are compared with the function's at the end.
    try:
        if context.function is not None:
            context = _as_deployed(context)
        context.settings()
        yield check_region(context)
    except ConfigurationError as failure:
        yield Check.error("configuration", failure)
        return
    yield check_caller(context)
    yield check_clock(context)
    state: SecretState | None = None
    try:
        state = read_state(context)
    except TokenRefreshError as failure:
        yield Check.error("secret", failure, title=f"{type(failure).__name__}: ")
    if state is not None:
        yield from _of_secret(state, consumer_version)
    yield check_token_endpoint(context, state)
    if context.function is not None:
        yield from check_function(operator)
    else:
        yield Check.skipped("function", "pass --function NAME to check the function, its role and its schedule")
    if context.has_all_of_aws:
        yield check_alarms(context)


def _as_deployed(context: Context) -> Context:
    """Take the settings of the deployed function; if they can't be read, its own check says why."""
    try:
        variables = context.deployed_variables()
        read_settings(variables)
    except TokenRefreshError:
        return context.without("--function")  # Any command with it would fail the same way.
    # Without the options: where they contradict the function, `check_function` says so, and nothing stops.
    return replace(context, given={}).as_deployed({"TOKEN_SECRET_ID": context.secret_id, **variables})


def _of_secret(state: SecretState, consumer_version: str | None) -> Iterator[Check]:
    yield check_document(state)
    yield from check_tokens(state)
    yield check_last_refresh(state)
    yield check_credentials(state)
    yield check_permissions(state)
    yield check_consumer(state, consumer_version)
