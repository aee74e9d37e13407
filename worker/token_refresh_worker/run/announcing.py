"""The event that a run on one secret calls for. A fleet finds its events in its rows (`fleet/core/announcement.py`)."""

from token_refresh.errors import ReauthorizationRequired, TokenRefreshError
from token_refresh_worker.core.announcement import Announcement, transition_of_run
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.run.run import Run


def announcement_of(run: Run, ended: Outcome | TokenRefreshError) -> Announcement | None:
    """Return the event that a run calls for, as it has ended."""
    # Only a request of this run shows a transition; a run that finds an old rejection would announce it again.
    memory, snapshot = run.memory, run.memory.snapshot
    rejected = isinstance(ended, ReauthorizationRequired) and memory.rejected_version is not None
    # Also if the run failed afterwards, to publish a copy: the next one finds nothing due.
    if snapshot is None or not (rejected or snapshot.current.version_id in memory.received | memory.recovered):
        return None
    found = transition_of_run(snapshot, rejected=rejected, replaced=memory.replaced)
    if found is None:
        return None
    transition, since = found
    return Announcement(
        transition=transition,
        secret_id=run.secret.secret_id,
        version_id=snapshot.current.version_id,
        provider=run.parts.provider.name,
        fleet=None,
        since=since,
    )
