"""What the worker does around a run in a fleet: is the secret a member, which provider is it of, and what to report.

The run itself is that of a single secret, with an environment in which the secret and its provider are filled in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.fleet.core.announcement import announcement
from token_refresh_worker.fleet.core.outcome import after
from token_refresh_worker.fleet.core.row import UNKNOWN_PROVIDER, pause_of
from token_refresh_worker.fleet.ports import Index, IndexEntry
from token_refresh_worker.run.outcome import RunReport
from token_refresh_worker.run.ports import Bus, Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """What a worker of a fleet acts with."""

    fleet: str
    index: Index
    bus: Bus | None
    log: Log
    read_document: Callable[[str], Mapping[str, object]]
    """Reads the document of a new member, whose provider nobody knows yet."""
    chance: Callable[[], float] = SystemRandom().random


def find_member(crew: Crew, secret_arn: str, *, heeds_breaker: bool = False) -> IndexEntry | None:
    """Return the secret's entry; None if its run must not begin.

    It has left the fleet, or a pause holds it up, or an open breaker of its provider if the run `heeds_breaker`.
    """
    entry = crew.index.entry(secret_arn)
    if entry is None:
        crew.log.warning("fleet_run_skipped", secret_id=secret_arn, reason="not_in_fleet")
        return None
    pause = pause_of(entry.row, entry.pauses, entry.read_at)
    if pause is not None:
        crew.log.info("fleet_run_skipped", secret_id=secret_arn, reason="paused", until=pause.until.isoformat())
        return None
    if heeds_breaker and entry.row.provider in entry.breakers:
        crew.log.info("fleet_run_skipped", secret_id=secret_arn, reason="breaker_open")
        # Another time is another message: the dispatcher need not wait for the end of this one's lease.
        crew.index.look_at(secret_arn, entry.read_at)
        return None
    return entry


def provider_of(entry: IndexEntry, read_document: Callable[[], Mapping[str, object]], default: str) -> str:
    """Name the secret's provider: what the last run found in the document, or what the document says.

    A tag never decides: it would choose the host that gets the refresh token.
    """
    seen, named = entry.row.seen, entry.row.provider
    # After a failure it is in doubt: somebody may have corrected the document's provider, or the deployment's.
    if seen and seen.tokens.version_id and seen.error_type is None and named != UNKNOWN_PROVIDER:
        return named
    stored = read_document().get("provider")
    return stored if isinstance(stored, str) and stored else default


def report(crew: Crew, entry: IndexEntry, run: RunReport) -> None:
    """Write the row that a run leaves, and announce a transition. Failures are logged: the tokens are stored."""
    left = after(entry.row, run, began_at=entry.read_at, chance=crew.chance())
    try:
        # A late run knows less than the row, so it announces nothing either.
        if not crew.index.report(left):
            crew.log.info("fleet_report_superseded", secret_id=left.secret_arn)
            return
        event = announcement(left, fleet=crew.fleet)
        if crew.bus is None or event is None:
            return
        # Read again: a run that was under way at the same time may have sent the event.
        latest = crew.index.entry(left.secret_arn)
        if latest is not None and latest.row.announced == event.transition:
            return
        # In this order: a worker that dies in between sends the event twice, and never not at all.
        crew.bus.send(event)
        crew.index.announced(left.secret_arn, event.transition.value)
    except TokenRefreshError as error:
        crew.log.warning("fleet_report_failed", secret_id=left.secret_arn, error_type=type(error).__name__)
