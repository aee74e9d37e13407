"""Which event a run's outcome calls for: each transition is announced once.

The row remembers the last transition that was announced. A run that dies between the event and the row announces it
again: consumers tell a repetition by `since`, which stays the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from token_refresh.fleet.core.row import Row, State
from token_refresh.stored.times import iso

GRANT_ENDS_WITHIN: Final = timedelta(days=7)
"""How long before its end a grant is announced. A grant that each refresh prolongs, such as Upwork's two weeks, never
comes this close while it is refreshed."""


class Transition(StrEnum):
    """The `detail-type` of an event."""

    REAUTHORIZATION_REQUIRED = "Reauthorization Required"
    REAUTHORIZED = "Reauthorized"
    GRANT_ENDING = "Grant Ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One event; it holds no secret."""

    transition: Transition
    secret_id: str
    version_id: str | None
    provider: str
    fleet: str | None
    since: datetime

    @property
    def detail(self) -> dict[str, str | None]:
        """The event's `detail`."""
        return {
            "secret_id": self.secret_id,
            "version_id": self.version_id,
            "provider": self.provider,
            "fleet": self.fleet,
            "since": iso(self.since),
        }


def announcement(row: Row, *, fleet: str) -> Announcement | None:
    """Return the event that a row calls for, as a run has just left it."""
    seen = row.seen
    transition = _transition(row)
    if seen is None or transition is None or row.announced == transition:
        return None
    ends_at = seen.grant_ends_at if transition is Transition.GRANT_ENDING else None
    return Announcement(
        transition=transition,
        secret_id=row.secret_arn,
        version_id=seen.version_id,
        provider=row.provider,
        fleet=fleet,
        since=ends_at - GRANT_ENDS_WITHIN if ends_at else seen.since,
    )


def _transition(row: Row) -> Transition | None:
    seen = row.seen
    if seen is None:
        return None
    if seen.state is State.REAUTHORIZE:
        return Transition.REAUTHORIZATION_REQUIRED
    if seen.state is not State.HEALTHY or seen.error_type is not None:
        return None
    if row.announced == Transition.REAUTHORIZATION_REQUIRED:
        return Transition.REAUTHORIZED
    if seen.grant_ends_at is not None and seen.at >= seen.grant_ends_at - GRANT_ENDS_WITHIN:
        return Transition.GRANT_ENDING
    return Transition.REAUTHORIZED if row.announced is not None else None
