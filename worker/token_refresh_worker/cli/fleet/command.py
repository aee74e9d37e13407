"""`token-refresh fleet`: status, pause, resume, add and resync."""

import getpass
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from token_refresh.advice import Command
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_worker.cli.console.command import command
from token_refresh_worker.cli.console.durations import read_duration
from token_refresh_worker.cli.console.options import OF_A_FLEET, Json, names_beginning
from token_refresh_worker.cli.console.screen import errors, message, output, print_json, show, text, when
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.fleet.layout import as_fields, lay_out, select
from token_refresh_worker.cli.secret.finding import Health
from token_refresh_worker.cli.secret.lookups import arn_of
from token_refresh_worker.cli.secret.membership import find_index, join, open_index
from token_refresh_worker.fleet.aws.listing import list_members
from token_refresh_worker.fleet.core.dispatch import Fleet, open_breakers
from token_refresh_worker.fleet.core.row import LONGEST_PAUSE, Pause, Row, State
from token_refresh_worker.fleet.resync import counts_of, synchronise
from token_refresh_worker.fleet.settings import provider_limits

LONGEST_REASON: Final = 500

Name = Annotated[str, typer.Option("--fleet", envvar="FLEET_NAME", help="Name of the fleet.")]
SecretOption = Annotated[str | None, typer.Option("--secret", help="One secret, by name or ARN.")]
ProviderOption = Annotated[str | None, typer.Option("--provider", help="One provider.", autocompletion=names_beginning)]
All = Annotated[bool, typer.Option("--all", help="The whole fleet.")]


@command("fleet status", "--fleet prod --state overdue", shares=OF_A_FLEET, failed=Health.UNKNOWN)
def status(  # noqa: PLR0913 - options, each by its name
    context: Context,
    *,
    fleet: Name,
    provider: ProviderOption = None,
    state: Annotated[State | None, typer.Option(help="Only secrets in this state.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many rows to show.")] = 20,
    as_json: Json = False,
) -> int:
    """Show a fleet: the summary, its providers, and the secrets that need somebody.

    Exit status: 0 healthy, 1 needs attention soon, 2 overdue secrets, 3 unknown; 64 for a wrong option.
    """
    index = open_index(context, fleet)
    rows, pauses, now = list(index.rows()), index.pauses(), index.read_clock()
    if provider is not None and not _count(rows, provider):
        raise ConfigurationError(f"no secret of fleet {fleet} has the provider {provider}")
    breakers = open_breakers(Fleet(rows=rows, providers=provider_limits(row.provider for row in rows)), now)
    view = replace(
        select(rows, pauses, fleet=fleet, now=now, provider=provider, state=state),
        breakers={name: found for name, found in breakers.items() if provider in (None, name)},
    )
    if as_json:
        print_json(as_fields(view))
    else:
        show(output(), *lay_out(view, limit=limit))
    return view.health


@command("fleet pause", '--fleet prod --provider xero --for 2h --why "their maintenance"', shares=OF_A_FLEET)
def pause(  # noqa: PLR0913 - options, each by its name
    context: Context,
    *,
    fleet: Name,
    secret: SecretOption = None,
    provider: ProviderOption = None,
    everything: All = False,
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h, 7d.")] = "2h",
    why: Annotated[str, typer.Option(help="The reason, for the next reader.")] = "no reason given",
) -> int:
    """Leave one secret, one provider or the whole fleet alone for a while. A pause always ends by itself."""
    lasts = read_duration(duration, LONGEST_PAUSE)
    return _set_pause(lasts, fleet, secret, provider, everything=everything, why=why, context=context)


@command("fleet resume", "--fleet prod --all", shares=OF_A_FLEET)
def resume(
    context: Context,
    *,
    fleet: Name,
    secret: SecretOption = None,
    provider: ProviderOption = None,
    everything: All = False,
) -> int:
    """End a pause of one secret, one provider or the fleet."""
    return _set_pause(None, fleet, secret, provider, everything=everything, context=context)


@command(
    "fleet add", "customers/7/xero customers/8/xero --fleet prod --provider xero", shares=(*OF_A_FLEET, "provider")
)
def add(
    context: Context,
    *,
    secrets: Annotated[list[str], typer.Argument(metavar="SECRET...", help="Names or ARNs of the secrets.")],
    fleet: Name,
) -> int:
    """Let secrets join a fleet: tag each, and make it due at once. Members become due, too."""
    index, failed = find_index(context, fleet), 0
    with _progress("adding", len(secrets)) as advance:
        for number, secret_id in enumerate(secrets, 1):
            try:
                join(context, index, fleet=fleet, secret_id=secret_id)
            # One secret that can't join keeps no other one out.
            except TokenRefreshError as error:
                failed += 1
                context.complete(error)
                show(errors(), *message(f": {type(error).__name__}: ", *error.parts, head=(secret_id, "red")))
            advance(number, len(secrets))
    output().print(text(f"{len(secrets) - failed} of {len(secrets)} secrets are in fleet {fleet}"))
    return 1 if failed else 0


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


def _set_pause(  # noqa: PLR0913 - what to pause, and where, each by its name
    lasts: timedelta | None,
    fleet: str,
    secret: str | None,
    provider: str | None,
    *,
    everything: bool,
    why: str = "",
    context: Context,
) -> int:
    if sum((secret is not None, provider is not None, everything)) != 1:
        raise typer.BadParameter("give one of --secret, --provider and --all")
    if len(why) > LONGEST_REASON:
        raise typer.BadParameter(f"--why must have {LONGEST_REASON} characters at most, since each run reads it")
    index = find_index(context, fleet)
    now = index.read_clock()
    pause = None if lasts is None else Pause(at=now, until=now + lasts, by=_user(), why=why)
    secret_arn = None if secret is None else arn_of(context, secret)
    if not index.pause(pause, secret_arn=secret_arn, provider=provider):
        add_it = Command.of("token-refresh fleet add {} --fleet {} --region {}", str(secret), fleet, context.region)
        raise ConfigurationError(f"secret {secret} is not in fleet {fleet}", fix=("add it with ", add_it))
    output().print(text(f"paused until {when(pause.until)}" if pause else "resumed"))
    # Not refused: secrets that no run has read yet may turn out to be this provider's.
    if pause and provider and not _count(index.rows(), provider):
        errors().print(text(f"No secret of fleet {fleet} has the provider {provider} now.", "yellow"))
    return 0


def _count(rows: Iterable[Row], provider: str) -> int:
    return sum(row.provider == provider for row in rows)


def _user() -> str:
    """Give the name on this machine; asking AWS for the caller would need a permission more."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a user without a name
        return "somebody"


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how far long work has come; it gives a function of what is done and what there is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On standard error: `--json` has standard output for itself.
    with Progress(*columns, console=errors(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)
