"""`token-refresh fleet status`, `pause` and `resume`."""

import getpass
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

import typer

from token_refresh.advice import Command
from token_refresh.errors import ConfigurationError
from token_refresh_worker.cli.command import OF_A_FLEET, Json, command, names_beginning, read_duration
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.finding import Health
from token_refresh_worker.cli.fleet.layout import as_fields, lay_out, select
from token_refresh_worker.cli.lookups import arn_of
from token_refresh_worker.cli.membership import find_index, open_index
from token_refresh_worker.cli.screen import errors, output, print_json, show, text
from token_refresh_worker.fleet.core.breaker import provider_in
from token_refresh_worker.fleet.core.dispatch import breakers_of
from token_refresh_worker.fleet.core.fleet import Fleet
from token_refresh_worker.fleet.core.row import LONGEST_FLEET_PAUSE, Pause, Row, State
from token_refresh_worker.fleet.core.tombstone import standing
from token_refresh_worker.fleet.settings import provider_limits
from token_refresh_worker.run.failures import utc

LONGEST_FLEET_REASON: Final = 500

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
    limits = provider_limits(row.provider for row in rows)
    breakers = breakers_of(Fleet(rows=rows, providers=limits, store_refuses=index.store().refuses(now)), now)
    view = replace(
        select(rows, pauses, fleet=fleet, now=now, provider=provider, state=state),
        breakers={name: found for name, found in breakers.items() if provider in (None, provider_in(name))},
        left=[s for s in standing(index.tombstones(), now) if state is None and provider in (None, s.provider)],
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
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h, 7d.")],
    why: Annotated[str, typer.Option(help="The reason, for the next reader.")],
) -> int:
    """Leave one secret, one provider or the whole fleet alone for a while.

    A pause always ends by itself, and before the first grant that it holds up.
    """
    lasts = read_duration(duration, LONGEST_FLEET_PAUSE)
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
    if len(why) > LONGEST_FLEET_REASON:
        raise typer.BadParameter(f"--why must have {LONGEST_FLEET_REASON} characters at most, since each run reads it")
    index = find_index(context, fleet)
    now = index.read_clock()
    pause = None if lasts is None else Pause(at=now, until=now + lasts, by=_user(), why=why)
    secret_arn = None if secret is None else arn_of(context, secret)
    paused = [row for row in index.rows() if provider in (None, row.provider) and secret_arn in (None, row.secret_arn)]
    if pause is not None:
        _refuse_to_outlast(paused, pause)
    if not index.pause(pause, secret_arn=secret_arn, provider=provider):
        add_it = Command.of("token-refresh fleet add {} --fleet {} --region {}", str(secret), fleet, context.region)
        raise ConfigurationError(f"secret {secret} is not in fleet {fleet}", fix=("add it with ", add_it))
    output().print(text(f"paused until {utc(pause.until)}" if pause else "resumed"))
    # Not refused: secrets that no run has read yet may turn out to be this provider's.
    if pause and provider and not paused:
        errors().print(text(f"No secret of fleet {fleet} has the provider {provider} now.", "yellow"))
    return 0


def _refuse_to_outlast(rows: Iterable[Row], pause: Pause) -> None:
    """Refuse a pause that a grant would not survive: only a refresh prolongs it."""
    ends_at = {row.name: row.seen.tokens.grant_ends_at for row in rows if row.seen and not row.seen.rejected}
    ends = {name: at for name, at in ends_at.items() if at is not None and pause.at < at < pause.until}
    if ends:
        first = min(ends, key=lambda name: ends[name])
        raise ConfigurationError(
            f"{len(ends)} grants would end during the pause, the first, of secret {first}, at {utc(ends[first])}",
            fix="choose a shorter --for, and let the fleet refresh them in between",
        )


def _count(rows: Iterable[Row], provider: str) -> int:
    return sum(row.provider == provider for row in rows)


def _user() -> str:
    """Give the name on this machine; asking AWS for the caller would need a permission more."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a user without a name
        return "somebody"
