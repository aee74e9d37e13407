"""Which event a run's outcome calls for.

The row remembers the last transition that was announced. A run that dies between the event and the row announces it
again: consumers tell a repetition by `since`, which stays the same.
"""

from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.outcome import SUCCESSES
from token_refresh_worker.fleet.core.row import Row, Seen, State


def announcement(row: Row, *, fleet: str) -> Announcement | None:
    """Return the event that a row calls for, as a run has just left it."""
    seen = row.seen
    transition = _transition(row, seen) if seen else None
    if seen is None or transition is None or row.announced == transition:
        return None
    return Announcement(
        transition=transition,
        secret_id=row.secret_arn,
        version_id=seen.tokens.version_id,
        provider=row.provider,
        fleet=fleet,
        since=(seen.tokens.grant_ending_at if transition is Transition.GRANT_ENDING else None) or seen.since,
    )


def _transition(row: Row, seen: Seen) -> Transition | None:
    if seen.state is State.REAUTHORIZE:
        return Transition.REAUTHORIZATION_REQUIRED
    # A run that yielded, or failed for another reason, shows nothing about the grant.
    if seen.state is not State.HEALTHY or seen.outcome not in SUCCESSES:
        return None
    # Before "Grant Ending": a new grant that ends soon sends both, in this order.
    if row.announced == Transition.REAUTHORIZATION_REQUIRED:
        return Transition.REAUTHORIZED
    if seen.grant_is_ending:
        return Transition.GRANT_ENDING
    return Transition.REAUTHORIZED if row.announced is not None else None
