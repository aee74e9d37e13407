"""What the dispatcher measures each minute. It counts the index, so a secret that never reported is counted, too.

No metric has "secret" or "token" in its name: the log masks the values of such fields.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.fleet.core.breaker import STORE, BreakerReason, holds_back, provider_in
from token_refresh_worker.fleet.core.fleet import Decision, Fleet
from token_refresh_worker.fleet.core.row import Row, State, state_of
from token_refresh_worker.fleet.core.shares import percent, shares
from token_refresh_worker.fleet.core.tombstone import Tombstone
from token_refresh_worker.run.metrics import metric_fields

NEW_FOR: Final = timedelta(minutes=10)
_MANAGED: Final = frozenset({State.HEALTHY, State.DUE, State.OVERDUE, State.HELD})
"""The states in which the fleet itself can keep a secret fresh; all others wait for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """One minute of one fleet."""

    fleet: Mapping[str, float]
    providers: Mapping[str, Mapping[str, float]]

    def fields(self, name: str) -> dict[str, object]:
        """Give the fields of one log line for the fleet as a whole."""
        return metric_fields(self.fleet, {"Fleet": name})

    def provider_fields(self, name: str) -> list[dict[str, object]]:
        """Give those of a log line for each provider."""
        return [
            metric_fields(values, {"Fleet": name, "Provider": provider})
            for provider, values in sorted(self.providers.items())
        ]


def measure(fleet: Fleet, decision: Decision, now: datetime, *, tombstones: Iterable[Tombstone] = ()) -> Gauges:
    """Count the rows by state, and what this minute hands out and leaves."""
    states = {row.secret_arn: state_of(row, fleet.pauses, now) for row in fleet.rows}
    counted = Counter(states.values())
    breakers = _of_providers(decision)
    held_back = {row.secret_arn for row in fleet.rows if holds_back(breakers, row)}
    # Nobody has looked at a new member yet: a fleet that grows misses no objective.
    managed = [row for row in fleet.rows if states[row.secret_arn] in _MANAGED and not _is_new(row, now)]
    return Gauges(
        fleet={
            "Size": len(fleet.rows),
            **{state.title(): counted[state] for state in State},
            "HandedOut": len(decision.messages),
            "UnderWay": decision.under_way,
            "Waiting": decision.waiting,
            "WithinWindowPercent": _within_window_percent(managed, now),
            "BreakersOpen": len(decision.breakers),
            "WorkerUnheard": int(decision.unheard_since is not None),
            "StoreRefuses": int(STORE in decision.breakers),
            **shares(fleet.rows, fleet.pauses, tombstones, held_back=held_back, now=now),
        },
        providers=_by_provider(fleet, decision, states),
    )


def _of_providers(decision: Decision) -> set[str]:
    """Return the open breakers that say something about a provider: not where Secrets Manager or the worker fails."""
    silent = BreakerReason.SILENT if decision.unheard_since else None
    return {name for name, breaker in decision.breakers.items() if name != STORE and breaker.reason is not silent}


def _is_new(row: Row, now: datetime) -> bool:
    return row.seen is None and now - NEW_FOR < row.added_at <= now


def _by_provider(fleet: Fleet, decision: Decision, states: Mapping[str, State]) -> dict[str, dict[str, float]]:
    counted: dict[str, Counter[State]] = {}
    for row in fleet.rows:
        counted.setdefault(row.provider, Counter())[states[row.secret_arn]] += 1
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
