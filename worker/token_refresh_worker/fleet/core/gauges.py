"""What the dispatcher measures each minute. It counts the index, so a secret that never reported is counted, too.

Alarms watch shares that the troubles of single customers don't move. A customer whose grant is dead stays dead until a
person authorizes again, for weeks at times. An alarm on the number of dead grants would be on all that time, and 900
more would change nothing. So what waits for a person counts by when it began, and fewer than three secrets count as
none, unless they are the whole fleet. Each has its event and its row. A small fleet's deaths ring one by one, each when
it is new.

No metric has "secret" or "token" in its name: the log masks the values of such fields.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.fleet.core.breaker import STORE, BreakerReason, holds_back, provider_in
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import FEW, Decision, Fleet
from token_refresh_worker.fleet.core.row import Pauses, Row, State, pause_of_row, state_of

NEW_FOR: Final = timedelta(minutes=10)
_MANAGED: Final = frozenset({State.HEALTHY, State.DUE, State.OVERDUE, State.HELD})
"""The states in which the fleet itself can keep a secret fresh; all others wait for a person."""


def measure(
    fleet: Fleet, decision: Decision, now: datetime, *, tombstones: Iterable[Tombstone] = ()
) -> dict[str, float]:
    """Count the rows by state, and what this minute hands out and leaves."""
    states = {row.secret_arn: state_of(row, fleet.pauses, now) for row in fleet.rows}
    counted = Counter(states.values())
    # Those that say something about a provider: not where Secrets Manager or the worker fails.
    silent = BreakerReason.SILENT if decision.unheard_since else None
    breakers = {name for name, found in decision.breakers.items() if name != STORE and found.reason is not silent}
    held_back = {row.secret_arn for row in fleet.rows if holds_back(breakers, row)}
    # Nobody has looked at a new member yet, and what is imported may have expired: growth misses no objective.
    known = [row for row in fleet.rows if not now - NEW_FOR < row.added_at <= now]
    managed = [row for row in known if states[row.secret_arn] in _MANAGED]
    return {
        "Size": len(fleet.rows),
        **{state.title(): counted[state] for state in State},
        "HandedOut": len(decision.messages),
        "UnderWay": decision.under_way,
        "Waiting": decision.waiting,
        "WithinWindowPercent": _within_window_percent(managed, now),
        "BreakersOpen": len(decision.breakers),
        "WorkerUnheard": int(decision.unheard_since is not None),
        "StoreRefuses": int(STORE in decision.breakers),
        **copies_behind(fleet.rows, now),
        **shares(fleet.rows, fleet.pauses, tombstones, held_back=held_back, now=now),
    }


def copies_behind(rows: Iterable[Row], now: datetime) -> dict[str, float]:
    """Count the copies whose readers have had another token than the current one for ten minutes.

    Empty where none are published: a metric costs by the hours in which it is sent.
    """
    copied = [row for row in rows if row.seen and row.seen.copy and row.is_living]
    behind = sum(row.copy_behind_at is not None and row.copy_behind_at <= now - NEW_FOR for row in copied)
    return {"CopiesBehind": behind} if copied else {}


def measure_providers(fleet: Fleet, decision: Decision, now: datetime) -> dict[str, dict[str, float]]:
    """Count the rows of each provider by state."""
    counted: dict[str, Counter[State]] = {}
    for row in fleet.rows:
        counted.setdefault(row.provider, Counter())[state_of(row, fleet.pauses, now)] += 1
    return {
        provider: {
            "Size": counts.total(),
            "Overdue": counts[State.OVERDUE],
            "Reauthorize": counts[State.REAUTHORIZE],
            "BreakersOpen": sum(provider_in(lane) == provider for lane in decision.breakers),
        }
        for provider, counts in counted.items()
    }


def _within_window_percent(rows: list[Row], now: datetime) -> float:
    """Say how many have more than half of their refresh window left; the objective is 99.9 percent."""
    # A secret without a known window counts against the objective: nobody can say that it is fresh.
    halves = [row.half_window_at for row in rows]
    return 100.0 - percent(sum(half is None or now >= half for half in halves), len(rows))


SMALL: Final = 300
"""Below this size three secrets are more than 1 %: the first death rings."""
FEW_A_DAY: Final = 5
HOUR: Final = timedelta(hours=1)


def shares(
    rows: Sequence[Row], pauses: Pauses, tombstones: Iterable[Tombstone], *, held_back: Collection[str], now: datetime
) -> dict[str, float]:
    """Return the metrics; `held_back` has the secrets that an open breaker of a host or a provider holds back."""
    living = [row for row in rows if row.is_living]
    left = sum(stone.left_at > now - DAY and not stone.quietly for stone in tombstones)
    # Paused ones too: their consumers have an expired token all the same.
    expired = sum(row.tokens.expires_at is not None and row.tokens.expires_at <= now for row in living)
    return {
        "NewDeathsPercent": max(_new(rows, State.REAUTHORIZE, now), _first_deaths(rows, now)),
        "NewErrorsPercent": _new(rows, State.ERROR, now),
        "ExpiredPercent": percent(expired, len(rows)),
        "PausedTooLong": sum(_is_paused_too_long(row, pauses, now) for row in living),
        "BehindBreakersPercent": percent(sum(row.secret_arn in held_back for row in living), len(rows)),
        **members_left(left, len(rows) + left),
    }


def members_left(count: int, of: int) -> Mapping[str, float]:
    """Return the metric of members that vanished."""
    return {"MembersLeftPercent": percent(count, of)}


def percent(count: int, of: int, *, few: int = FEW) -> float:
    """Return the percentage; 0 for a few."""
    return 0.0 if not count or count < min(few, of) else round(100 * count / of, 3)


def _new(rows: Sequence[Row], state: State, now: datetime) -> float:
    """Return what came into a state within a day, or twice what did within an hour if that is more."""
    since = [row.seen.since for row in rows if row.seen and row.seen.state is state]
    hour, day = (sum(moment > now - time for moment in since) for time in (HOUR, DAY))
    return max(2 * percent(hour, len(rows)), percent(day, len(rows), few=FEW_A_DAY))


def _first_deaths(rows: Sequence[Row], now: datetime) -> float:
    """Return the share of the grants that died just now in a small fleet, and no less than the alarm's threshold."""
    if len(rows) >= SMALL:
        return 0.0
    new = sum(row.seen.state is State.REAUTHORIZE and row.seen.since > now - NEW_FOR for row in rows if row.seen)
    return max(1.0, percent(new, len(rows), few=1)) if new else 0.0


def _is_paused_too_long(row: Row, pauses: Pauses, now: datetime) -> bool:
    """Whether a pause of the last hour ends when half of the secret's window is over.

    An operator who paused a single customer for a month is told once. Where many expire, their share goes on telling.
    """
    pause, half = pause_of_row(row, pauses, now), row.half_window_at
    return pause is not None and pause.at > now - HOUR and half is not None and pause.until > half
