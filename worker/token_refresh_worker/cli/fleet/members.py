"""`token-refresh fleet add`, `remove` and `resync`: who is in a fleet."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.cli.command import OF_A_FLEET, Json, command
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.fleet.command import Name
from token_refresh_worker.cli.fleet.lanes import in_lanes, paced_tags
from token_refresh_worker.cli.membership import find_index, join, leave, open_index
from token_refresh_worker.cli.screen import errors, message, output, print_json, show, text
from token_refresh_worker.fleet.aws.listing import list_members
from token_refresh_worker.fleet.resync import counts_of, synchronise

PROGRESS_EVERY: Final = 1_000
"""A log file gets a line for so many."""

SecretNames = Annotated[
    list[str], typer.Argument(metavar="SECRET...", help="Names or ARNs of the secrets; - reads them, one a line.")
]


@command(
    "fleet add", "customers/7/xero customers/8/xero --fleet prod --provider xero", shares=(*OF_A_FLEET, "provider")
)
def add(context: Context, *, secrets: SecretNames, fleet: Name) -> int:
    """Let secrets join a fleet: tag each, and make it due at once. Members become due, too.

    Secrets Manager takes 50 tags a second in an account; this sends 40, so 10,000 secrets take about four minutes. What
    was interrupted goes on where it ended: run the same command again.
    """
    index = find_index(context, fleet)

    def act(secret_id: str) -> None:
        join(context, index, fleet=fleet, secret_id=secret_id)

    return _for_each(context, "adding", secrets, act, f"secrets are in fleet {fleet}")


@command("fleet remove", "customers/7/xero --fleet prod", shares=OF_A_FLEET)
def remove(context: Context, *, secrets: SecretNames, fleet: Name) -> int:
    """Take secrets out of a fleet: take off each tag, and leave a note that no alarm counts.

    The secret, its tokens and its claims stay as they are, and nothing refreshes it any more.
    """
    index = find_index(context, fleet)

    def act(secret_id: str) -> None:
        leave(context, index, fleet=fleet, secret_id=secret_id)

    return _for_each(context, "removing", secrets, act, f"secrets have left fleet {fleet}")


@command("fleet resync", "--fleet prod", shares=OF_A_FLEET)
def resync(
    context: Context,
    *,
    fleet: Name,
    believe: Annotated[
        bool, typer.Option("--believe", help="Remove what has left, even if it is a large part of the fleet.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Compare the index with the secrets that carry the fleet's tag; the fleet does so by itself every five minutes."""
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
            output().print(text(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())))
        if found.not_believed:
            kept = f"{found.not_believed} rows stay, since the listing lacks a large part of the fleet."
            errors().print(text(f"{kept} If those secrets have left, run this again with --believe.", "yellow"))
    return 0


def _for_each(context: Context, doing: str, secrets: Sequence[str], act: Callable[[str], None], done: str) -> int:
    """Act on each secret. One that fails keeps no other one out."""
    read = (line.strip() for line in sys.stdin) if list(secrets) == ["-"] else secrets
    names = list(dict.fromkeys(name for name in read if name))
    failed = 0
    with paced_tags(context.client("secretsmanager"), SystemClock()), _progress(doing, len(names)) as advance:
        for number, (secret_id, error) in enumerate(in_lanes(names, act), 1):
            if error is not None:
                failed += 1
                context.complete(error)
                show(errors(), *message(f": {type(error).__name__}: ", *error.parts, head=(secret_id, "red")))
            advance(number, len(names))
    output().print(text(f"{len(names) - failed} of {len(names)} {done}"))
    if failed:
        errors().print(text("What is done stays. For the rest, run the same command again.", "yellow"))
    return 1 if failed else 0


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
