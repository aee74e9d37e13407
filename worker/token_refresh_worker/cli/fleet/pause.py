"""`token-refresh fleet pause` and `resume`: leave secrets alone for a while."""

import getpass
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from token_refresh.advice import Command
from token_refresh.errors import ConfigurationError
from token_refresh_worker.cli.command import OF_A_FLEET, command, names_beginning, read_duration
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.lookups import arn_of
from token_refresh_worker.cli.membership import find_index
from token_refresh_worker.cli.screen import errors, output, text
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import LONGEST_FLEET_PAUSE, Pause, Row
from token_refresh_worker.run.failures import utc

LONGEST_FLEET_REASON: Final = 500

Name = Annotated[str, typer.Option("--fleet", envvar="FLEET_NAME", help="Name of the fleet.")]
SecretOption = Annotated[str | None, typer.Option("--secret", help="One secret, by name or ARN.")]
ProviderOption = Annotated[str | None, typer.Option("--provider", help="One provider.", autocompletion=names_beginning)]
All = Annotated[bool, typer.Option("--all", help="The whole fleet.")]


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
    rows = [row for row in index.rows() if provider in (None, row.provider) and secret_arn in (None, row.secret_arn)]
    if pause is not None:
        _refuse_to_outlast(rows, pause)
    before = _pause_in_force(index, secret_arn, provider, now)
    if not index.pause(pause, secret_arn=secret_arn, provider=provider):
        add_it = Command.of("token-refresh fleet add {} --fleet {} --region {}", str(secret), fleet, context.region)
        raise ConfigurationError(f"secret {secret} is not in fleet {fleet}", fix=("add it with ", add_it))
    if pause is None:
        output().print(text("resumed" if before else "nothing to resume: it was not paused"))
        return 0
    output().print(text(f"paused until {utc(pause.until)}"))
    # Not refused: secrets that no run has read yet may turn out to be this provider's.
    if provider and not rows:
        errors().print(text(f"No secret of fleet {fleet} has the provider {provider} now.", "yellow"))
    if ends := ends_before(rows, pause):
        errors().print(text(f"{will_expire(ends)}.", "yellow"))
    return 0


def _pause_in_force(index: TableIndex, secret_arn: str | None, provider: str | None, now: datetime) -> bool:
    """Whether this very thing is paused; a secret of a paused fleet has no pause of its own."""
    if secret_arn is not None:
        entry = index.entry(secret_arn)
        found = entry.row.pause if entry else None
    else:
        pauses = index.pauses()
        found = pauses.fleet if provider is None else pauses.providers.get(provider)
    return found is not None and now < found.until


def ends_before(rows: Iterable[Row], pause: Pause) -> list[tuple[datetime, str]]:
    """Return when the access tokens of living secrets expire before a pause ends, and their names, in order."""
    living = ((row.expires_at, row.name) for row in rows if row.is_living)
    return sorted((at, name) for at, name in living if at and at < pause.until)


def will_expire(ends: Sequence[tuple[datetime, str]]) -> str:
    """Say how many access tokens a pause lets expire, and which one first."""
    at, name = ends[0]
    return f"{plural(len(ends), 'access token')} will expire before that, the first, of {name}, at {utc(at)}"


def plural(count: int, noun: str) -> str:
    """Write a number of things."""
    return f"{count} {noun}{'s' * (count != 1)}"


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


def _user() -> str:
    """Give the name on this machine; asking AWS for the caller would need a permission more."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a user without a name
        return "somebody"
