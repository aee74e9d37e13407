"""What a run's outcome writes to the row: the new state, when to look at the secret next, and the events it calls for.

Each transition of a secret to another state is an event, and so is the end of its grant. What a run has to announce is
written with its report, as one write, and taken off the row once the bus has it. A run that dies in between leaves it
to the next one, with the same `since`: by that, consumers drop a repetition.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from token_refresh.errors import InvalidSecretDocument, TableUnavailable, TokenEndpointUnavailable, TokenRefreshError
from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.row import BUSY, Change, LastRequest, LastRun, Row, State
from token_refresh_worker.run.outcome import CopyState, Outcome, OutcomeName

SHORTEST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
LONGEST_WAIT_FOR_PROVIDER: Final = timedelta(minutes=10)
"""A host that is back must be found soon; a retry is one request."""
LONGEST_WAIT_FOR_TABLE: Final = timedelta(minutes=4)
"""What DynamoDB refuses is a call of a few milliseconds, and says nothing about the secret."""
JITTER: Final = timedelta(seconds=30)
"""Retries are spread over this time, so that secrets that failed together don't come back together."""

SUCCESSES: Final = frozenset({OutcomeName.FRESH, OutcomeName.REFRESHED, OutcomeName.RECOVERED, OutcomeName.SUPERSEDED})
_LOOKED: Final = frozenset({OutcomeName.WOULD_REFRESH, OutcomeName.WOULD_RECOVER})
"""A run that only read: the next one can be scheduled by what it found, and acts."""


def after(row: Row, run: Outcome, *, began_at: datetime, chance: float, store_refuses: bool = False) -> Row:
    """Return the row as this run leaves it.

    `began_at`, by the clock of DynamoDB, is the time of a run that read nothing; `chance` (0 to 1) spreads retries.
    While `store_refuses` everything, the fault is not the secret's, and it does not wait longer each time.
    """
    at = run.at or began_at
    # Before its first run nothing was wrong with a secret.
    before = row.seen or LastRun(at=at, since=at)
    seen = _seen(before, run, at)
    # Nothing confirms the provider of a run that read nothing.
    provider = run.provider if run.at else None
    unsent = row.unsent.union(changes(before, seen))
    if run.scopes_lost:
        unsent |= {Change(found_at=seen.at, transition=Transition.SCOPES_SHRUNK, since=seen.at)}
    unsent = frozenset(in_order(unsent)[-MOST_UNSENT:])
    row = replace(row, seen=seen, provider=provider or row.provider, unsent=unsent)
    if store_refuses and run.is_refused:
        return replace(row, next_at=seen.at + SHORTEST_WAIT)
    return replace(row, next_at=_next_look(row, seen, run, JITTER * chance))


def _seen(before: LastRun, run: Outcome, at: datetime) -> LastRun:
    """Merge: what a failed run could not read stays as the run before it found it."""
    succeeded = run.name in SUCCESSES
    state = _state(before, run)
    # What the run did not see has not changed.
    tokens = before.tokens if run.at is None else run.tokens
    ending = before.ending and state is not State.REAUTHORIZE
    prolonged = False
    if succeeded:
        # A run that yielded, or failed for another reason, shows nothing about the grant.
        ends_soon = tokens.grant_ending_at is not None and at >= tokens.grant_ending_at
        ending, prolonged = ends_soon, ending and not ends_soon
    return replace(
        before,
        at=at,
        state=state,
        # An event about a new grant needs a time of its own.
        since=before.since if before.state is state and not prolonged else at,
        outcome=run.name,
        error_type=run.error_type,
        requests=run.requests,
        failures=before.failures + 1 if run.error_type and not _is_busy(run) else 0,
        succeeded_at=at if succeeded else before.succeeded_at,
        tokens=tokens,
        rejected=state is State.REAUTHORIZE or (before.rejected and state is not State.HEALTHY),
        ending=ending,
        host=run.host or before.host,
        refused_at=None if run.made_current else before.refused_at or (at if run.is_refused else None),
        sent=_sent(before.sent, run, at),
        **_copy(before, run, at),
        **(_mended(before, at) if succeeded else {}),
    )


def _copy(before: LastRun, run: Outcome, at: datetime) -> dict[str, Any]:
    """Say how the copy is. It is no state of the secret, whose tokens are stored, and says nothing about the store."""
    if run.at is None:
        return {}
    behind = run.copy not in {None, CopyState.CURRENT}
    return {
        "copy": run.copy,
        "copy_behind_at": (before.copy_behind_at or at) if behind else None,
        "copy_error": type(run.copy_error).__name__ if behind and run.copy_error else None,
    }


def _mended(before: LastRun, at: datetime) -> dict[str, Any]:
    passed = before.error_type in {None, TokenEndpointUnavailable.__name__}
    if passed and before.sent and before.sent.error_type == BUSY:
        # When it was refused, if it has not failed otherwise since: so the dispatcher knows that the host was busy.
        return {"mended": BUSY, "mended_at": before.sent.at}
    return {"mended": before.error_type, "mended_at": at} if before.error_type else {}


def _sent(before: LastRequest | None, run: Outcome, at: datetime) -> LastRequest | None:
    if not run.requests:
        return before
    # After any other failure the provider had given new tokens. A document is wrong after a request where the provider
    # rejected tokens that somebody put back over living ones.
    refused = isinstance(run.error, InvalidSecretDocument) or (run.error and run.error.failed_at == "provider")
    failed = BUSY if _is_busy(run) else run.error_type if refused else None
    again = before.failures if before and before.host == run.host else 0
    return LastRequest(at=at, host=run.host, error_type=failed, failures=again + (failed != BUSY) if failed else 0)


def _is_busy(run: Outcome) -> bool:
    return isinstance(run.error, TokenEndpointUnavailable) and run.error.busy


def _state(before: LastRun, run: Outcome) -> State:
    error = run.error
    if error is not None and error.fleet_state is not None:
        return State(error.fleet_state)
    if error is not None and error.needs_person:
        return State.ERROR
    # Another failure leaves the state as it is: the secret becomes due, then overdue.
    return State.HEALTHY if run.name in SUCCESSES else before.state


def _next_look(row: Row, seen: LastRun, run: Outcome, jitter: timedelta) -> datetime:
    earliest = seen.at + SHORTEST_WAIT  # a token set that is always due would run without end
    if seen.outcome in SUCCESSES:
        due = max(earliest, seen.tokens.due_at) if seen.tokens.due_at else earliest
        if seen.copy_behind_at is None:
            return due
        # As long again as it has been behind: 1, 2, 4 ... minutes. It has to follow before the older token expires.
        waits = min(max(seen.at - seen.copy_behind_at, SHORTEST_WAIT), LONGEST_WAIT)
        return min(due, seen.at + waits + jitter)
    if seen.outcome in _LOOKED:
        # Always another time: by it the dispatcher knows that the run has reported.
        return seen.at if seen.at != row.next_at else seen.at + timedelta(seconds=1)
    # The run knows best: its `retry_at` is the end of a claim, or what the provider asked for.
    wanted = run.retry_at or seen.at + _backoff(seen, run.error)
    quarter, expires_at = row.tokens.last_quarter_at, row.tokens.expires_at
    passes = run.error is not None and run.error.failed_at == "provider" and not run.error.needs_person
    urgent = run.retry_at is None and passes and expires_at is not None and seen.at < expires_at
    if quarter is not None and (urgent or quarter > seen.at):
        # Then a run does what it would put off before, so none may sleep through it. What brought no tokens is looked
        # at each minute: the protocol says when it is sent again.
        wanted = min(wanted, quarter)
    return max(earliest, wanted) + jitter


def _backoff(seen: LastRun, error: TokenRefreshError | None) -> timedelta:
    """Wait twice as long after each failure, up to an hour; a dead grant waits for a person, so an hour at once."""
    if seen.state is State.REAUTHORIZE:
        return LONGEST_WAIT
    longest = LONGEST_WAIT
    if isinstance(error, TokenEndpointUnavailable):
        longest = LONGEST_WAIT_FOR_PROVIDER
    elif isinstance(error, TableUnavailable):
        longest = LONGEST_WAIT_FOR_TABLE
    # Six doublings exceed an hour; a larger shift would overflow a timedelta.
    return min(SHORTEST_WAIT * (1 << min(seen.failures, 6)), longest)


MOST_UNSENT: Final = 20
"""A bus that never takes an event must not let a row grow without end. The newest stay: they say how things are."""

_TRANSITIONS: Final[Mapping[State, Transition]] = {
    State.REAUTHORIZE: Transition.REAUTHORIZATION_REQUIRED,
    State.ERROR: Transition.CORRECTION_REQUIRED,
    State.HELD: Transition.REFRESH_HELD,
    State.EMPTY: Transition.DOCUMENT_MISSING,
}


def changes(before: LastRun, seen: LastRun) -> list[Change]:
    """Return what a run changed, in the order in which to announce it."""
    found: list[Change] = []
    if transition := _of_state(before, seen):
        found.append(Change(found_at=seen.at, transition=transition, since=seen.since))
    if seen.ending and not before.ending:
        since = seen.tokens.grant_ending_at or seen.since
        found.append(Change(found_at=seen.at, transition=Transition.GRANT_ENDING, since=since))
    return found


def _of_state(before: LastRun, seen: LastRun) -> Transition | None:
    if seen.state is not State.HEALTHY:
        return _TRANSITIONS[seen.state] if seen.state is not before.state else None
    # Whatever else happened to the secret since its grant was rejected.
    if before.rejected or (before.ending and not seen.ending):
        return Transition.REAUTHORIZED
    return None if before.state is State.HEALTHY else Transition.WORKING_AGAIN


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
