"""What a run's outcome writes to the row: the new state, and when to look at the secret next."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.fleet.core.row import Row, Seen, State
from token_refresh_worker.run.outcome import OutcomeName, RunFacts

SHORTEST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
JITTER: Final = timedelta(seconds=30)
"""Retries are spread over this time, so that secrets that failed together don't come back together."""

SUCCESSES: Final = frozenset({OutcomeName.FRESH, OutcomeName.REFRESHED, OutcomeName.RECOVERED, OutcomeName.SUPERSEDED})
_STATES: Final = {
    "ReauthorizationRequired": State.REAUTHORIZE,
    "RefreshOutcomeUnknown": State.HELD,
    "SecretEmpty": State.EMPTY,
    "ConfigurationError": State.ERROR,
    "InternalError": State.ERROR,
    "InvalidSecretDocument": State.ERROR,
    "InvalidTokenResponse": State.ERROR,
    "SecretAccessDenied": State.ERROR,
    "SecretNotFound": State.ERROR,
    "TokenRequestRejected": State.ERROR,
    "ClientRejected": State.ERROR,
}
"""Failures that a retry alone does not end. All others leave the state as it is: the secret becomes due, then overdue.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran(RunFacts):
    """How a run ended, and what it learned."""

    outcome: str | None
    """None where the run failed."""
    error_type: str | None = None
    retry_at: datetime | None = None


def after(row: Row, ran: Ran, *, chance: float) -> Row:
    """Return the row as this run leaves it.

    Args:
        row: The row as it was when the run began.
        ran: How the run ended.
        chance: A random number from 0 to 1, which spreads retries.
    """
    seen = _seen(row.seen, ran)
    row = replace(row, seen=seen, provider=ran.provider or row.provider)
    return replace(row, next_at=_next_look(row, seen, ran, JITTER * chance))


def _seen(before: Seen | None, ran: Ran) -> Seen:
    """Merge: what a failed run could not read stays as the run before it found it."""
    succeeded = ran.outcome in SUCCESSES
    state = _state(before, ran)
    # No version: the run failed before it read the secret, and what it did not see has not changed.
    unread = before if ran.version_id is None else None
    return Seen(
        at=ran.at,
        state=state,
        since=before.since if before and before.state is state and not _prolonged(before, ran) else ran.at,
        outcome=ran.outcome,
        error_type=ran.error_type,
        requests=ran.requests,
        failures=(before.failures if before else 0) + 1 if ran.error_type else 0,
        succeeded_at=ran.at if succeeded else before.succeeded_at if before else None,
        version_id=unread.version_id if unread else ran.version_id,
        expires_at=unread.expires_at if unread else ran.expires_at,
        due_at=unread.due_at if unread else ran.due_at,
        grant_ends_at=unread.grant_ends_at if unread else ran.grant_ends_at,
        grant_ending_at=unread.grant_ending_at if unread else ran.grant_ending_at,
    )


def _prolonged(before: Seen, ran: Ran) -> bool:
    """Whether a grant that was ending no longer is: an event about it needs a time of its own."""
    was_ending = before.grant_ending_at is not None and before.at >= before.grant_ending_at
    return was_ending and ran.version_id is not None and (ran.grant_ending_at is None or ran.at < ran.grant_ending_at)


def _state(before: Seen | None, ran: Ran) -> State:
    if ran.error_type is not None and ran.error_type in _STATES:
        return _STATES[ran.error_type]
    # A forced run finds a dead grant before its tokens are due: they are fresh, and the grant is as dead.
    if (
        before is not None
        and before.state is State.REAUTHORIZE
        and (ran.outcome, ran.version_id) == (OutcomeName.FRESH, before.version_id)
    ):
        return State.REAUTHORIZE
    if ran.outcome in SUCCESSES or before is None:
        return State.HEALTHY
    return before.state


def _next_look(row: Row, seen: Seen, ran: Ran, jitter: timedelta) -> datetime:
    earliest = ran.at + SHORTEST_WAIT  # a token set that is always due would run without end
    if ran.outcome in SUCCESSES:
        return max(earliest, seen.due_at) if seen.due_at else earliest
    # The run knows best: its `retry_at` is the end of a claim, or what the provider asked for.
    wanted = ran.retry_at or ran.at + _backoff(seen)
    quarter = row.last_quarter_at
    if quarter is not None and quarter > ran.at:
        # In the last quarter of the window a run does what it would put off before, so none may sleep through it.
        wanted = min(wanted, quarter)
    return max(earliest, wanted) + jitter


def _backoff(seen: Seen) -> timedelta:
    """Wait twice as long after each failure, up to an hour; a dead grant waits for a person, so an hour at once."""
    if seen.state is State.REAUTHORIZE:
        return LONGEST_WAIT
    # Six doublings exceed an hour; a larger shift would overflow a timedelta.
    return min(SHORTEST_WAIT * (1 << min(seen.failures, 6)), LONGEST_WAIT)
