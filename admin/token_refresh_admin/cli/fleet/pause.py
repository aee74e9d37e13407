"""`token-refresh fleet pause` and `resume`: leave a provider or a fleet alone for a while."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

import typer

from token_refresh.errors import ConfigurationError
from token_refresh_admin.cli.command import OF_A_FLEET, FleetName, command, names_beginning, read_duration
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.deployment import find_deployment
from token_refresh_admin.cli.fleet.members import for_each
from token_refresh_admin.cli.membership import find_index
from token_refresh_admin.cli.pause import end_pause, user
from token_refresh_admin.cli.screen import note, say
from token_refresh_worker.fleet.core.row import LONGEST_FLEET_PAUSE, Pause, Row
from token_refresh_worker.providers.loader import load_provider, own_profiles
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.settings import Variable

LONGEST_FLEET_REASON: Final = 500

ProviderOption = Annotated[str | None, typer.Option("--provider", help="One provider.", autocompletion=names_beginning)]
All = Annotated[bool, typer.Option("--all", help="The whole fleet.")]


@command("fleet pause", '--fleet prod --provider xero --for 2h --why "their maintenance"', shares=OF_A_FLEET)
def pause(  # noqa: PLR0913 - options, each by its name
    context: Context,
    *,
    fleet: FleetName,
    provider: ProviderOption = None,
    everything: All = False,
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h, 7d.")],
    why: Annotated[str, typer.Option(help="The reason, for the next reader.")],
) -> int:
    """Pause one provider or the whole fleet; for one secret, use `token-refresh pause`.

    A pause ends by itself. It is refused if a grant would end during it.
    """
    lasts = read_duration("--for", duration, LONGEST_FLEET_PAUSE)
    _check(provider, everything=everything)
    if len(why) > LONGEST_FLEET_REASON:
        raise typer.BadParameter(f"--why must have {LONGEST_FLEET_REASON} characters at most, since each run reads it")
    index = find_index(context, fleet)
    now = index.read_clock()
    made = Pause(at=now, until=now + lasts, by=user(), why=why)
    rows = [row for row in index.rows() if provider in (None, row.provider)]
    if provider and not rows:
        load_provider(provider, own_profiles(context.environment))
    _refuse_to_outlast(rows, made)
    index.pause(made, provider=provider)
    say(f"paused until {utc(made.until)}")
    # Not refused: secrets that no run has read yet may turn out to be this provider's.
    if provider and not rows:
        note(f"No secret of fleet {fleet} has the provider {provider} now.", style="yellow")
    if ends := ends_before(rows, made, now):
        note(f"{will_expire(ends)}.", style="yellow")
    return 0


@command("fleet resume", "--fleet prod --all", shares=OF_A_FLEET)
def resume(context: Context, *, fleet: FleetName, provider: ProviderOption = None, everything: All = False) -> int:
    """End the pause of one provider, or with --all every pause of the fleet and of its secrets."""
    _check(provider, everything=everything)
    index = find_index(context, fleet)
    now, pauses = index.read_clock(), index.pauses()
    found = pauses.fleet if provider is None else pauses.providers.get(provider)
    index.pause(None, provider=provider)
    paused = [row.secret_arn for row in index.rows() if everything and row.pause and now < row.pause.until]

    def act(secret_arn: str) -> None:
        member = replace(context, name="resume", own=()).overlaid({Variable.TOKEN_SECRET_ID: secret_arn})
        end_pause(find_deployment(member, joins=fleet, writes=True))

    done, code = for_each(context, "resuming", paused, act) if paused else ((), 0)
    if (found is not None and now < found.until) or done:
        say("resumed")
    elif not paused:
        say("nothing to resume: it was not paused")
    return code


def _check(provider: str | None, *, everything: bool) -> None:
    if (provider is not None) == everything:
        raise typer.BadParameter("give one of --provider and --all")


def ends_before(rows: Iterable[Row], pause: Pause, now: datetime) -> list[tuple[datetime, str]]:
    """Return when access tokens of living secrets will expire before a pause ends, and their names, in order."""
    living = ((row.tokens.expires_at, row.name) for row in rows if row.is_living)
    return sorted((at, name) for at, name in living if at and now < at < pause.until)


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
