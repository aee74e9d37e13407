"""Which events a run's outcome calls for: each transition of a secret to another state, and the end of its grant.

What a run has to announce is written with its report, as one write, and taken off the row once the bus has it. A run
that dies in between leaves it to the next one, with the same `since`: by that, consumers drop a repetition.
"""

from collections.abc import Mapping
from typing import Final

from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.row import Change, Row, Seen, State

MOST_UNSENT: Final = 20
"""A bus that never takes an event must not let a row grow without end. The newest stay: they say how things are."""

_TRANSITIONS: Final[Mapping[State, Transition]] = {
    State.REAUTHORIZE: Transition.REAUTHORIZATION_REQUIRED,
    State.ERROR: Transition.CORRECTION_REQUIRED,
    State.HELD: Transition.REFRESH_HELD,
    State.EMPTY: Transition.DOCUMENT_MISSING,
}


def changes(before: Seen | None, seen: Seen) -> list[Change]:
    """Return what a run changed, in the order in which to announce it."""
    found: list[Change] = []
    if transition := _of_state(before, seen):
        found.append(Change(found_at=seen.at, transition=transition, since=seen.since))
    if seen.ending and not (before and before.ending):
        since = seen.tokens.grant_ending_at or seen.since
        found.append(Change(found_at=seen.at, transition=Transition.GRANT_ENDING, since=since))
    return found


def _of_state(before: Seen | None, seen: Seen) -> Transition | None:
    was = before.state if before else State.HEALTHY
    if seen.state is not State.HEALTHY:
        return _TRANSITIONS[seen.state] if seen.state is not was else None
    # Whatever else happened to the secret since its grant was rejected.
    if before and (before.rejected or (before.ending and not seen.ending)):
        return Transition.REAUTHORIZED
    return None if was is State.HEALTHY else Transition.WORKING_AGAIN


def in_order(unsent: frozenset[Change]) -> list[Change]:
    """Return changes in the order in which runs found them; a new grant works before it ends."""
    order = list(Transition)
    return sorted(unsent, key=lambda change: (change.found_at, order.index(change.transition)))


def announcement(row: Row, change: Change, *, fleet: str) -> Announcement:
    """Return the event of a change."""
    return Announcement(
        transition=change.transition,
        secret_id=row.secret_arn,
        version_id=row.seen.tokens.version_id if row.seen else None,
        provider=row.provider,
        fleet=fleet,
        since=change.since,
    )
