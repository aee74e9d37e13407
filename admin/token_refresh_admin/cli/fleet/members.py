"""`token-refresh fleet add`, `remove`, `retry` and `resync`: who is in a fleet, and who is looked at now."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from token_refresh.errors import ConfigurationError, SecretNotFound
from token_refresh_admin.cli.command import OF_A_FLEET, FleetName, Json, command, read_duration
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import exit_code_of
from token_refresh_admin.cli.fleet.threads import paced_tags, run_in_threads
from token_refresh_admin.cli.membership import (
    Leaving,
    begin_leaving,
    end_leaving,
    find_copies,
    find_index,
    join,
    open_index,
)
from token_refresh_admin.cli.screen import errors, note, print_json, say, text
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.fleet.aws.services import list_members
from token_refresh_worker.fleet.core.row import Pauses, Row, State, pause_of_row, state_of
from token_refresh_worker.fleet.resync import counts_of, synchronise
from token_refresh_worker.run.failures import span

LONGEST_REMOVAL: Final = timedelta(minutes=9)
"""A resync adds what still has its tag ten minutes after it was removed."""
SHOWN_ALIKE: Final = 3
"""Errors of one kind that are printed in full."""
PROGRESS_EVERY: Final = 1_000
"""A log file gets a line for so many."""

SecretNames = Annotated[
    list[str], typer.Argument(metavar="SECRET...", help="Names or ARNs of the secrets; - reads them, one a line.")
]


@command(
    "fleet add", "customers/7/xero customers/8/xero --fleet prod --provider xero", shares=(*OF_A_FLEET, "provider")
)
def add(context: Context, *, secrets: SecretNames, fleet: FleetName, as_json: Json = False) -> int:
    """Add secrets to a fleet. Those that are members already are refreshed, or tried again, within a minute.

    If the fleet publishes copies for services, each secret gets an empty one, which its next run fills. Adding 10,000
    secrets takes four minutes: 40 tags a second, of the account's 50. If it is interrupted, run it again.
    """
    index, copies = find_index(context, fleet), find_copies(context, fleet)

    def act(secret_id: str) -> None:
        join(context, index, fleet=fleet, secret_id=secret_id, copies=copies)

    names = _names(secrets)
    done, code = for_each(context, "adding", names, act)
    if as_json:
        print_json({"fleet": fleet, "added": sorted(done), "failed": sorted({*names} - {*done})})
        return code
    return _say(done, names, f"secrets are in fleet {fleet}", code)


@command("fleet remove", "customers/7/xero --fleet prod", shares=OF_A_FLEET)
def remove(
    context: Context,
    *,
    secrets: SecretNames,
    fleet: FleetName,
    wait: Annotated[
        str, typer.Option(help="How long to wait for runs that are under way: longer than timeout_seconds, 9m at most.")
    ] = "2m",
) -> int:
    """Take secrets out of a fleet: nothing refreshes them any more.

    A tag stays until a run that may be under way has ended: without it the run could not store its tokens. The secrets,
    their tokens and their claims stay. Copies for services are deleted after 30 days.
    """
    lasts = read_duration("--wait", wait, LONGEST_REMOVAL)
    index, names = find_index(context, fleet), _names(secrets)
    copies = find_copies(context, fleet)
    leaving: dict[str, Leaving] = {}

    def begin(secret_id: str) -> None:
        leaving[secret_id] = begin_leaving(context, index, fleet=fleet, secret_id=secret_id)

    def end(secret_id: str) -> None:
        end_leaving(context, index, leaving[secret_id], fleet=fleet, copies=copies)

    begun, code = for_each(context, "removing", names, begin)
    if running := sum(each.may_run for each in leaving.values()):
        what = f"runs may be under way on {running} of them: their tags are removed in {span(lasts)}"
        note(what, style="dim")
        SystemClock().sleep(lasts.total_seconds())
    done, code_of_end = for_each(context, "taking tags off", begun, end)
    return _say(done, names, f"secrets have left fleet {fleet}", max(code, code_of_end))


class RetryFilter(StrEnum):
    """Which secrets to look at now."""

    ERROR = "error"
    OVERDUE = "overdue"
    ALL = "all"


@command("fleet retry", "--state error --fleet prod", "customers/7/xero --fleet prod", shares=OF_A_FLEET)
def retry(
    context: Context,
    *,
    secrets: Annotated[
        list[str] | None, typer.Argument(metavar="SECRET...", help="Names or ARNs; - reads them, one a line.")
    ] = None,
    fleet: FleetName,
    state: Annotated[
        RetryFilter | None,
        typer.Option(help="error: secrets whose last run or copy failed, or that keep refused tokens; overdue; all."),
    ] = None,
) -> int:
    """After a repair, try secrets within a minute, instead of up to an hour later.

    Secrets that wait for the provider, for a person or for the end of a pause go on waiting.
    """
    if not secrets and state is None:
        raise typer.BadParameter("give secrets, or --state")
    index = find_index(context, fleet)
    now, pauses = index.read_clock(), index.pauses()
    rows = {row.secret_arn: row for row in index.rows() if _is_wanted(row, state, pauses, now)}
    names = list(rows)
    if secrets:
        named: dict[str, list[str]] = {}
        for arn, row in rows.items():  # two, where a secret was deleted and made again
            named.setdefault(row.name, []).append(arn)
        names = list(dict.fromkeys(arn for name in _names(secrets) for arn in named.get(name, [name])))

    def act(secret_arn: str) -> None:
        if secret_arn not in rows or not index.look_at(secret_arn, now):
            raise ConfigurationError(f"it is not in fleet {fleet}, or not in that state")

    done, code = for_each(context, "retrying", names, act)
    if paused := sum(pause_of_row(rows[name], pauses, now) is not None for name in done):
        note(f"{paused} of them are paused, and wait for the end of the pause.", style="yellow")
    return _say(done, names, "secrets are due now", code)


def _is_wanted(row: Row, state: RetryFilter | None, pauses: Pauses, now: datetime) -> bool:
    if state is RetryFilter.ERROR:
        # Not by the state: what Secrets Manager refused is due or overdue, and its tokens wait in the table.
        failed = row.has_failed or row.copy_behind_at is not None
        return failed and row.seen is not None and row.seen.state is not State.REAUTHORIZE
    return state is not RetryFilter.OVERDUE or state_of(row, pauses, now) is State.OVERDUE


@command("fleet resync", "--fleet prod", shares=OF_A_FLEET)
def resync(
    context: Context,
    *,
    fleet: FleetName,
    believe: Annotated[
        bool, typer.Option("--believe", help="Remove secrets that have left, even if they are much of the fleet.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Compare the index with the secrets that carry the fleet's tag, as the fleet does every five minutes."""
    with _progress("resync", None) as progress:
        found = synchronise(
            open_index(context, fleet),
            list_members(context.client("secretsmanager"), fleet),
            fleet=fleet,
            believe=believe,
            progress=progress,
        )
        counts = counts_of(found)
        if as_json:
            print_json(counts)
        else:
            say(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))
        if found.not_believed:
            stay = f"{found.not_believed} rows stay, since the listing lacks a large part of the fleet."
            note(f"{stay} If those secrets have left, run this again with --believe.", style="yellow")
    return 0


def _names(secrets: Sequence[str]) -> list[str]:
    """Return the names once each; a single `-` stands for standard input."""
    if "-" in secrets and len(secrets) > 1:
        raise typer.BadParameter("give secret names, or a single - to read them from standard input; not both")
    read = (line.strip() for line in sys.stdin) if list(secrets) == ["-"] else secrets
    names = list(dict.fromkeys(name for name in read if name))
    if not names:
        raise typer.BadParameter("no secret is named")
    return names


def for_each(context: Context, doing: str, names: Sequence[str], act: Callable[[str], None]) -> tuple[list[str], int]:
    """Act on each secret, and give those that it worked for, and the exit status; one that fails keeps no other out."""
    done: list[str] = []
    code = 0
    failed: dict[tuple[str, int], list[str]] = {}
    with paced_tags(context.client("secretsmanager"), SystemClock()), _progress(doing, len(names)) as advance:
        for number, (secret_id, error) in enumerate(run_in_threads(names, act), 1):
            if error is None:
                done.append(secret_id)
            else:
                code = max(code, exit_code_of(error))
                # This very name is not there: then others are probably wrong, too.
                misspelt = isinstance(error, SecretNotFound) and error.secret_id == secret_id and not error.is_deleted
                shown = 0 if misspelt else SHOWN_ALIKE
                alike = failed.setdefault((type(error).__name__, shown), [])
                alike.append(secret_id)
                if len(alike) <= shown:
                    note(f": {type(error).__name__}: ", *error.parts, head=(secret_id, "red"))
            advance(number, len(names))
    for (kind, shown), alike in failed.items():
        if rest := alike[shown:]:
            what = f"{len(rest)} {'more ' * bool(shown)}failed with {kind} in {context.region}"
            named = ", ".join(rest[:SHOWN_ALIKE]) + (" and others" if len(rest) > SHOWN_ALIKE else "")
            note(f"{what}: {named}. Check names, account and region.", style="red")
    return done, code


def _say(done: Sequence[str], names: Sequence[str], what: str, code: int) -> int:
    say(f"{len(done)} of {len(names)} {what}")
    if len(done) < len(names):
        note("What is done stays. For the rest, run the same command again.", style="yellow")
    return code


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Show on standard error how far long work has come; it gives a function of what is done and what there is."""
    console = errors()
    if not console.is_terminal:

        def note(done: int, of: int) -> None:
            if done and done % PROGRESS_EVERY == 0:
                console.print(text(f"{what}: {done} of {of}"))

        yield note
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On standard error: `--json` has standard output for itself.
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)
