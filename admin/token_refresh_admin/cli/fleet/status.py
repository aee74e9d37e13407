"""`token-refresh fleet status`: the summary first, then the rows that need somebody, most urgent first."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from token_refresh.errors import ConfigurationError
from token_refresh_admin.cli.command import OF_A_FLEET, FleetName, Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.finding import Health
from token_refresh_admin.cli.fleet.pause import ProviderOption, will_expire
from token_refresh_admin.cli.fleet.view import STATES, FleetSelection, as_fields, select
from token_refresh_admin.cli.membership import open_index
from token_refresh_admin.cli.screen import assemble, message, one_line, output, print_json, show, text
from token_refresh_worker.fleet.core.breaker import provider_in
from token_refresh_worker.fleet.core.enrolment import recent_tombstones
from token_refresh_worker.fleet.core.row import State
from token_refresh_worker.fleet.dispatcher import rows_of
from token_refresh_worker.run.failures import span, utc

_AS_IT_SHOULD_BE: Final = frozenset({"fresh", "refreshed", "recovered"})
_NARROWEST: Final = 26
"""The longest name of an error with its indentation."""
_PAUSES: Final = 20


@command("fleet status", "--fleet prod --state overdue", shares=OF_A_FLEET, failed=Health.UNKNOWN)
def status(  # noqa: PLR0913 - options, each by its name
    context: Context,
    *,
    fleet: FleetName,
    provider: ProviderOption = None,
    state: Annotated[State | None, typer.Option(help="Only secrets in this state.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many rows to show.")] = 20,
    as_json: Json = False,
) -> int:
    """Show a fleet: the summary, its providers, and the secrets that need somebody.

    Exit status: 0 healthy; 1 needs attention soon; 2 overdue secrets, expired tokens, or nothing runs; 3 unknown; 64
    for a wrong option.
    """
    index = open_index(context, fleet)
    now = index.read_clock()
    rows, pauses, last_dispatch = rows_of(index, now), index.pauses(), index.last_dispatch()
    if provider is not None and provider not in {row.provider for row in rows}:
        raise ConfigurationError(f"no secret of fleet {fleet} has the provider {provider}")
    breakers = {name: found for name, found in last_dispatch.breakers.items() if provider in (None, provider_in(name))}
    view = FleetSelection(
        fleet=fleet,
        region=context.region,
        now=now,
        members=select(rows, pauses, now, provider=provider, state=state),
        pauses=pauses,
        last_dispatch=replace(last_dispatch, breakers=breakers),
        left=[
            s for s in recent_tombstones(index.tombstones(), now) if state is None and provider in (None, s.provider)
        ],
        oldest=min((row.added_at for row in rows), default=None),
    )
    if as_json:
        print_json(as_fields(view))
    else:
        show(output(), *lay_out(view, limit=limit))
    return view.health


def lay_out(view: FleetSelection, *, limit: int) -> list[RenderableType]:
    """Lay out the summary, the providers, and the first rows."""
    total = len(view.members)
    summary = assemble((f"fleet {view.fleet}", "bold"), f"  {total} secret{'s' * (total != 1)}  ")
    for state, count in view.counts.items():
        summary.append_text(assemble((f"{count} {state.value}", STATES[state]), "  "))
    parts: list[RenderableType] = [summary]
    if view.copies_seen_at:
        counts = ", ".join(f"{count} {state.value}" for state, count in view.copies.items() if count)
        parts.append(text(f"copies for services: {counts}, each seen since {utc(view.copies_seen_at)}"))
    for finding in view.findings:
        color = "bold red" if finding.health is Health.BROKEN else "yellow"
        remedy = ("; ", *finding.remedy) if finding.remedy else ()
        parts += message(*remedy, head=(finding.text, color))
    # Before the rows: of a paused fleet each row says `paused`, and none says why.
    parts += _pauses(view)
    parts += [Text(), _providers(view), Text()]
    if limit:
        parts.append(_rows(view, limit))
    if view.left:
        parts += _left(view, limit)
    if total > limit:
        parts.append(text(f"and {total - limit} more; narrow them with --provider or --state, or use --json", "dim"))
    return parts


def _pauses(view: FleetSelection) -> Iterator[RenderableType]:
    for number, (what, pause, ends) in enumerate(view.pauses_in_force):
        if number == _PAUSES:
            yield text("and more pauses; --state paused --json lists them", "dim")
            return
        yield text(f"{what} is paused until {utc(pause.until)} by {one_line(pause.by)}: {one_line(pause.why)}", "cyan")
        if ends:
            yield text(f"  {will_expire(ends)}", "yellow")


def _providers(view: FleetSelection) -> Table:
    # Only states that occur: eight columns leave a provider's name no room.
    states = list(view.counts)
    table = _table("provider", *(state.value for state in states))
    by_provider: dict[str, Counter[State]] = {}
    for row, state in view.members:
        by_provider.setdefault(row.provider, Counter())[state] += 1
    for provider, counts in sorted(by_provider.items()):
        table.add_row(text(provider), *(text(str(counts[s]), STATES[s]) if counts[s] else "" for s in states))
    return table


def _rows(view: FleetSelection, limit: int) -> Table:
    """Lay out rows; what went wrong is below the secret's name, since a column for it leaves names no room."""
    table = _table(Column("secret", overflow="fold", min_width=_NARROWEST), "provider", "state", "expires", "last run")
    for row, state in view.members[:limit]:
        seen = row.seen
        ended = (seen.error_type or seen.outcome) if seen else None
        detail = [(f"\n  {ended}", "dim")] if ended and ended not in _AS_IT_SHOULD_BE else []
        if seen and seen.copy_behind_at:
            why = f" ({seen.copy_error})" if seen.copy_error else ""
            detail.append((f"\n  the copy is {seen.copy}{why}", "yellow"))
        table.add_row(
            assemble(row.name, *detail),
            text(row.provider),
            text(state.value, STATES[state]),
            text(_about(row.tokens.expires_at - view.now) if row.tokens.expires_at else "unknown"),
            text(_about(seen.at - view.now) if seen else "none yet"),
        )
    return table


def _left(view: FleetSelection, limit: int) -> list[RenderableType]:
    """Lay out who left; of those that `fleet remove` took out the number alone."""
    vanished = [stone for stone in view.left if not stone.quietly]
    removed = len(view.left) - len(vanished)
    head = f"left within a week: {removed} by fleet remove, {len(vanished)} since their tag or secret vanished"
    parts: list[RenderableType] = [Text(), text(head, "yellow" if vanished else "dim")]
    if vanished and limit:
        table = _table(Column("secret", overflow="fold", min_width=_NARROWEST), "provider", "left")
        for stone in vanished[:limit]:
            table.add_row(text(stone.name), text(stone.provider), text(_about(stone.left_at - view.now)))
        parts.append(table)
    return parts


def _about(distance: timedelta) -> str:
    """Write how far away something is, by its largest unit: two of them make a line too long for 80 columns."""
    about = " ".join(span(distance).split()[:2])
    return f"in {about}" if distance > timedelta(0) else f"{about} ago"


def _table(*columns: str | Column) -> Table:
    narrow = (Column(c, no_wrap=True, max_width=16) if isinstance(c, str) else c for c in columns)
    return Table(*narrow, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
