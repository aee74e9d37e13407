"""What `token-refresh fleet status` knows of a fleet, and how bad it is."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from token_refresh.advice import Advice, Command
from token_refresh_admin.cli.finding import Finding, Health
from token_refresh_admin.cli.fleet.pause import ends_before, plural
from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.fleet.core.breaker import STORE
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import LEASE, LastDispatch
from token_refresh_worker.fleet.core.gauges import NEW_FOR
from token_refresh_worker.fleet.core.row import Pause, Pauses, Row, State, pause_of_row, state_of
from token_refresh_worker.run.failures import SecretName, utc
from token_refresh_worker.run.outcome import CopyState

STATES: Final = {
    State.OVERDUE: "bold red",
    State.REAUTHORIZE: "red",
    State.ERROR: "red",
    State.EMPTY: "yellow",
    State.HELD: "yellow",
    State.DUE: "",
    State.PAUSED: "cyan",
    State.HEALTHY: "green",
}
"""How each is shown, the most urgent first."""
_HEALTH: Final = {
    State.OVERDUE: Health.BROKEN,
    State.REAUTHORIZE: Health.ATTENTION,
    State.ERROR: Health.ATTENTION,
    State.EMPTY: Health.ATTENTION,
    State.HELD: Health.ATTENTION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSelection:
    """The part of a fleet that was asked for."""

    fleet: str
    region: str
    members: Sequence[tuple[Row, State]]
    """The secrets, each with its state now."""
    pauses: Pauses
    now: datetime
    last_dispatch: LastDispatch = field(default_factory=LastDispatch)
    """What the last dispatcher told, with the breakers of this part."""
    left: Sequence[Tombstone] = ()
    """The secrets that left within a week, the newest first."""
    oldest: datetime | None = None
    """When the first secret of the whole fleet joined."""

    @property
    def counts(self) -> Mapping[State, int]:
        """How many there are in each state that occurs, worst first."""
        counted = Counter(state for _, state in self.members)
        return {state: counted[state] for state in STATES if counted[state]}

    @property
    def copies(self) -> Mapping[CopyState, int]:
        """How many copies are current, older, unread and missing; empty where none are published."""
        counted = Counter(row.seen.copy for row, _ in self.members if row.seen and row.seen.copy)
        return {state: counted[state] for state in CopyState} if counted else {}

    @property
    def copies_seen_at(self) -> datetime | None:
        """Since when a run has looked at each copy; None where none are published."""
        return min((row.seen.at for row, _ in self.members if row.seen and row.seen.copy), default=None)

    @property
    def health(self) -> Health:
        """Whether somebody has to act."""
        vanished = any(stone.left_at > self.now - DAY and not stone.quietly for stone in self.left)
        of_left = Health.ATTENTION if vanished else Health.HEALTHY
        # A pause hides what was found before it, and ends none of that.
        states = {*self.counts, *(row.seen.state for row, _ in self.members if row.seen)}
        of_states = (_HEALTH.get(state, Health.HEALTHY) for state in states)
        return max([of_left, *of_states, *(finding.health for finding in self.findings)])

    @property
    def expired(self) -> list[Row]:
        """Living secrets whose access token has expired, the first one first, paused or not."""
        ends = ((row.tokens.expires_at, row) for row, _ in self.members if row.is_living)
        return [row for at, row in sorted(ends, key=lambda end: str(end[0])) if at and at <= self.now]

    @property
    def pauses_in_force(self) -> Iterator["PauseInForce"]:
        """The pauses of the fleet, of providers and of single secrets, each with what it costs."""
        rows = [row for row, _ in self.members]
        named = {"the fleet": (self.pauses.fleet, rows)}
        named |= {
            f"provider {name}": (pause, [row for row in rows if row.provider == name])
            for name, pause in sorted(self.pauses.providers.items())
        }
        named |= {f"secret {row.name}": (row.pause, [row]) for row in rows if row.pause}
        for what, (pause, its) in named.items():
            if pause is not None and self.now < pause.until:
                yield PauseInForce(what, pause, ends_before(its, pause, self.now))

    @property
    def findings(self) -> list[Finding]:
        """What somebody should know beside the states, the worst first."""
        found = [*self._of_functions(), *self._of_tokens(), *self._of_copies(), *self._of_breakers()]
        return sorted(found, key=lambda finding: finding.health, reverse=True)

    def _retry(self, state: str) -> Advice:
        line = "token-refresh fleet retry --state {} --fleet {} --region {}"
        retry = Command.of(line, state, self.fleet, self.region)
        return "once the cause is corrected, ", retry, " tries them at once"

    def _of_functions(self) -> Iterator[Finding]:
        ran, began = self.last_dispatch.at, self.oldest
        if began is not None and max(ran or began, began) <= self.now - LEASE:
            since = f"has not run since {utc(ran)}" if ran else "has never run"
            why = "see the alarms dispatcher-silent, functions-failing and dead-letters"
            yield Finding.broken(f"the dispatcher {since}: nothing is refreshed", why)
        if self.last_dispatch.unheard_since is not None:
            text = f"the worker does not run: no run has reported since {utc(self.last_dispatch.unheard_since)}"
            why = "see its log, its throttles, and the event source of the queue"
            yield Finding.broken(text, why)

    def _of_tokens(self) -> Iterator[Finding]:
        if expired := self.expired:
            text = f"expired: {plural(len(expired), 'access token')}, the first of {expired[0].name}"
            yield Finding.broken(text, *self._retry("overdue"))
        # A run that has found nothing to store since is no refusal any more.
        if refused := sum(row.is_refused and row.has_failed for row, _ in self.members):
            text = f"refused by Secrets Manager, and not stored since: {plural(refused, 'secret')}"
            yield Finding.attention(text)
        known = [row for row, _ in self.members if row.added_at <= self.now - NEW_FOR]
        if unread := sum(row.seen is None for row in known):
            text = f"joined over ten minutes ago, and never read: {plural(unread, 'secret')}"
            yield Finding.attention(text)
        # Such a one never becomes overdue. A run refreshes it at once, so something keeps the runs back.
        unsure = [row.name for row in known if row.seen and row.is_living and row.tokens.expires_at is None]
        if unsure:
            text = f"without an access token whose expiry is believed: {len(unsure)}, the first in {unsure[0]}"
            yield Finding.attention(text, *self._retry("error"))

    def _of_copies(self) -> Iterator[Finding]:
        # A copy that is just made, or that another run wrote a moment ago, is older for some minutes.
        behind = [row for row, _ in self.members if row.copy_behind_at and row.copy_behind_at <= self.now - NEW_FOR]
        gone = [row.name for row in behind if row.seen and row.seen.copy is CopyState.MISSING]
        if gone:
            text = f"copies that are missing, so that services can't read them: {len(gone)}, the first of {gone[0]}"
            make = SecretName(secret_id=gone[0], region=self.region).join(self.fleet)
            yield Finding.attention(text, "make it, and others likewise: ", make)
        for state, how in (
            (CopyState.UNREAD, "that the worker can't read"),
            (CopyState.OLDER, "that are older than the tokens"),
        ):
            rows = [row for row in behind if row.seen and row.seen.copy is state]
            if rows:
                errors = Counter(row.seen.copy_error or "not written yet" for row in rows if row.seen)
                why = ", ".join(f"{error}: {count}" for error, count in errors.most_common())
                text = f"copies {how}: {len(rows)}, the first of {rows[0].name} ({why})"
                yield Finding.attention(text, *self._retry("error"))

    def _of_breakers(self) -> Iterator[Finding]:
        for name, breaker in sorted(self.last_dispatch.breakers.items()):
            reason = breaker.reason.value.replace("_", " ")
            text = f"breaker of {name} is open: {reason}; {plural(breaker.allowed, 'run')} at once"
            if name == STORE:
                text = "Secrets Manager refuses, and took no secret for three minutes; two a minute are tried"
            yield Finding.attention(text)


class PauseInForce(NamedTuple):
    """A pause, and the access tokens that expire before it ends: when, and the secrets' names."""

    what: str
    pause: Pause
    ends: Sequence[tuple[datetime, str]]


def select(
    rows: Sequence[Row], pauses: Pauses, now: datetime, *, provider: str | None = None, state: State | None = None
) -> Sequence[tuple[Row, State]]:
    """Filter the rows, each with its state now, and put the most urgent first."""
    order, members = list(STATES), [(row, state_of(row, pauses, now)) for row in rows]
    selected = [(row, its) for row, its in members if provider in (None, row.provider) and state in (None, its)]
    # A secret that no run has read may expire at any moment, as the dispatcher has it.
    return sorted(selected, key=lambda m: (order.index(m[1]), m[0].tokens.expires_at or now, m[0].name))


def as_fields(view: FleetSelection) -> dict[str, Any]:
    """Return the same for machines, with all rows."""
    return {
        "fleet": view.fleet,
        "health": view.health.name.lower(),
        "secrets": len(view.members),
        "states": {state.value: count for state, count in view.counts.items()},
        "findings": [{"health": each.health.name.lower(), "text": each.text} for each in view.findings],
        "breakers": {name: breaker.reason.value for name, breaker in sorted(view.last_dispatch.breakers.items())},
        "dispatched_at": view.last_dispatch.at,
        "unheard_since": view.last_dispatch.unheard_since,
        "expired": len(view.expired),
        **({"copies": {state.value: count for state, count in view.copies.items()}} if view.copies else {}),
        **({"copies_seen_at": view.copies_seen_at} if view.copies_seen_at else {}),
        "pauses": [
            {
                "of": what,
                "until": pause.until,
                "by": pause.by,
                "why": pause.why,
                "expire_first": len(ends),
                "first": ends[0][1] if ends else None,
                "first_expires_at": ends[0][0] if ends else None,
            }
            for what, pause, ends in view.pauses_in_force
        ],
        "rows": [_fields(row, state, view) for row, state in view.members],
        "left": [
            {
                "secret_id": stone.secret_arn,
                "provider": stone.provider,
                "left_at": stone.left_at,
                "removed": stone.quietly,
            }
            for stone in view.left
        ],
    }


def _fields(row: Row, state: State, view: FleetSelection) -> dict[str, Any]:
    seen, pause = row.seen, pause_of_row(row, view.pauses, view.now)
    known: dict[str, Any] = {
        "secret_id": row.secret_arn,
        "provider": row.provider,
        "state": state.value,
        "next_at": row.next_at,
        "paused_until": pause.until if pause else None,
        "paused_by": pause.by if pause else None,
        "pause_reason": pause.why if pause else None,
    }
    if seen is not None:
        known |= {
            "since": seen.since,
            "expires_at": seen.tokens.expires_at,
            "due_at": seen.tokens.due_at,
            "last_run_at": seen.at,
            "last_success_at": seen.succeeded_at,
            "outcome": seen.outcome,
            "error_type": seen.error_type,
            "failures": seen.failures,
            "copy": seen.copy.value if seen.copy else None,
            "copy_behind_at": seen.copy_behind_at,
            "copy_error_type": seen.copy_error,
            "version_id": seen.tokens.version_id,
            "grant_ends_at": seen.tokens.grant_ends_at,
        }
    # A key without a value is left out, so that a script's `.get` has one meaning.
    return {name: value for name, value in known.items() if value is not None}
