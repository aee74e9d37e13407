"""A fleet on one screen: the summary first, then the rows that need somebody, most urgent first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from token_refresh_worker.cli.finding import Health
from token_refresh_worker.cli.screen import assemble, iso_or_none, text
from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.fleet.core.breaker import Breaker
from token_refresh_worker.fleet.core.row import Pauses, Row, State, pause_of_row, state_of
from token_refresh_worker.fleet.core.tombstone import Tombstone
from token_refresh_worker.run.failures import span, utc


class _Look(NamedTuple):
    """How a state is shown, and what it says about the fleet."""

    style: str
    health: Health


_LOOKS: Final = {
    State.OVERDUE: _Look("bold red", Health.BROKEN),
    State.REAUTHORIZE: _Look("red", Health.ATTENTION),
    State.ERROR: _Look("red", Health.ATTENTION),
    State.EMPTY: _Look("yellow", Health.ATTENTION),
    State.HELD: _Look("yellow", Health.ATTENTION),
    State.DUE: _Look("", Health.HEALTHY),
    State.PAUSED: _Look("cyan", Health.HEALTHY),
    State.HEALTHY: _Look("green", Health.HEALTHY),
}
"""The most urgent first."""
_AS_IT_SHOULD_BE: Final = frozenset({"fresh", "refreshed", "recovered"})
_NARROWEST: Final = 26
"""The longest name of an error with its indentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The part of a fleet that was asked for."""

    fleet: str
    members: Sequence[tuple[Row, State]]
    """The secrets, each with its state now."""
    pauses: Pauses
    now: datetime
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    """The open ones, by provider."""
    left: Sequence[Tombstone] = ()
    """The secrets that left within a week, the newest first."""

    @property
    def counts(self) -> Mapping[State, int]:
        """How many there are in each state that occurs, worst first."""
        counted = Counter(state for _, state in self.members)
        return {state: counted[state] for state in _LOOKS if counted[state]}

    @property
    def health(self) -> Health:
        """Whether somebody has to act."""
        vanished = any(stone.left_at > self.now - DAY and not stone.quietly for stone in self.left)
        of_left = Health.ATTENTION if vanished else Health.HEALTHY
        return max([of_left, *(_LOOKS[state].health for state in self.counts)])


def select(  # noqa: PLR0913 - what there is, and what was asked for, each by its name
    rows: Sequence[Row], pauses: Pauses, *, fleet: str, now: datetime, provider: str | None, state: State | None
) -> View:
    """Filter the rows, and put the most urgent first."""
    order, members = list(_LOOKS), [(row, state_of(row, pauses, now)) for row in rows]
    selected = [(row, its) for row, its in members if provider in (None, row.provider) and state in (None, its)]
    # A secret that no run has read may expire at any moment, as the dispatcher has it.
    selected.sort(key=lambda m: (order.index(m[1]), m[0].expires_at or now, m[0].name))
    return View(fleet=fleet, members=selected, pauses=pauses, now=now)


def lay_out(view: View, *, limit: int) -> list[RenderableType]:
    """Lay out the summary, the providers, and the first rows."""
    total = len(view.members)
    summary = assemble((f"fleet {view.fleet}", "bold"), f"  {total} secret{'s' * (total != 1)}  ")
    for state, count in view.counts.items():
        summary.append_text(assemble((f"{count} {state.value}", _LOOKS[state].style), "  "))
    parts: list[RenderableType] = [summary]
    # Before the rows: of a paused fleet each row says `paused`, and none says why.
    if view.pauses.fleet is not None and view.now < view.pauses.fleet.until:
        pause = view.pauses.fleet
        parts.append(text(f"paused until {utc(pause.until)} by {pause.by}: {pause.why}", "cyan"))
    for provider, breaker in sorted(view.breakers.items()):
        reason = breaker.reason.value.replace("_", " ")
        parts.append(text(f"breaker of {provider} is open: {reason}; {breaker.allowed} runs at once", "yellow"))
    parts += [Text(), _providers(view), Text()]
    if limit:
        parts.append(_rows(view, limit))
    if view.left:
        parts += _left(view, limit)
    if total > limit:
        parts.append(text(f"and {total - limit} more; narrow them with --provider or --state, or use --json", "dim"))
    return parts


def as_fields(view: View) -> dict[str, Any]:
    """Give the same for machines, with all rows."""
    return {
        "fleet": view.fleet,
        "health": view.health.name.lower(),
        "secrets": len(view.members),
        "states": {state.value: count for state, count in view.counts.items()},
        "breakers": {provider: breaker.reason.value for provider, breaker in sorted(view.breakers.items())},
        "rows": [_fields(row, state, view) for row, state in view.members],
        "left": [
            {
                "secret_id": stone.secret_arn,
                "provider": stone.provider,
                "left_at": iso_or_none(stone.left_at),
                "removed": stone.quietly,
            }
            for stone in view.left
        ],
    }


def _fields(row: Row, state: State, view: View) -> dict[str, Any]:
    seen, pause = row.seen, pause_of_row(row, view.pauses, view.now)
    known: dict[str, Any] = {
        "secret_id": row.secret_arn,
        "provider": row.provider,
        "state": state.value,
        "next_at": iso_or_none(row.next_at),
        "paused_until": iso_or_none(pause.until) if pause else None,
        "paused_by": pause.by if pause else None,
        "pause_reason": pause.why if pause else None,
    }
    if seen is not None:
        known |= {
            "since": iso_or_none(seen.since),
            "expires_at": iso_or_none(seen.tokens.expires_at),
            "due_at": iso_or_none(seen.tokens.due_at),
            "last_run_at": iso_or_none(seen.at),
            "last_success_at": iso_or_none(seen.succeeded_at),
            "outcome": seen.outcome,
            "error_type": seen.error_type,
            "failures": seen.failures,
            "version_id": seen.tokens.version_id,
            "grant_ends_at": iso_or_none(seen.tokens.grant_ends_at),
        }
    # A key without a value is left out, so that a script's `.get` has one meaning.
    return {name: value for name, value in known.items() if value is not None}


def _providers(view: View) -> Table:
    # Only states that occur: eight columns leave a provider's name no room.
    states = list(view.counts)
    table = _table("provider", *(state.value for state in states))
    by_provider: dict[str, Counter[State]] = {}
    for row, state in view.members:
        by_provider.setdefault(row.provider, Counter())[state] += 1
    for provider, counts in sorted(by_provider.items()):
        table.add_row(text(provider), *(text(str(counts[s]), _LOOKS[s].style) if counts[s] else "" for s in states))
    return table


def _rows(view: View, limit: int) -> Table:
    """Lay out rows; what went wrong is below the secret's name, since a column for it leaves names no room."""
    table = _table(Column("secret", overflow="fold", min_width=_NARROWEST), "provider", "state", "expires", "last run")
    for row, state in view.members[:limit]:
        seen = row.seen
        ended = (seen.error_type or seen.outcome) if seen else None
        detail = [(f"\n  {ended}", "dim")] if ended and ended not in _AS_IT_SHOULD_BE else []
        table.add_row(
            assemble(row.name, *detail),
            text(row.provider),
            text(state.value, _LOOKS[state].style),
            text(_about(row.expires_at - view.now) if row.expires_at else "unknown"),
            text(_about(seen.at - view.now) if seen else "none yet"),
        )
    return table


def _left(view: View, limit: int) -> list[RenderableType]:
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
