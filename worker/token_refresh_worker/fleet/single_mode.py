"""The events of a worker with one secret, sent as a fleet sends them."""

from token_refresh.errors import ReauthorizationRequired, TokenRefreshError
from token_refresh_worker.core.announcement import Announcement, transition_of_run
from token_refresh_worker.fleet.aws.bus import Bus
from token_refresh_worker.fleet.settings import client
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.run.ports import Log


def announce(  # noqa: PLR0913 - what the event says, each by its name
    memory: Memory, ended: Outcome | TokenRefreshError, *, bus: str, secret_id: str, provider: str, log: Log
) -> None:
    """Send the event that a run calls for, if it calls for one. A failure is logged: the tokens are stored.

    Args:
        memory: The run's.
        ended: How it ended.
        bus: The event bus, by name or ARN.
        secret_id: The secret, as the deployment names it.
        provider: The name of its profile.
        log: The run's.
    """
    # Only a request of this run shows a transition; a run that finds an old rejection would announce it again.
    snapshot = memory.snapshot
    rejected = isinstance(ended, ReauthorizationRequired) and memory.rejected_version is not None
    # Also if the run failed afterwards, to publish a copy: the next one finds nothing due.
    if snapshot is None or not (rejected or snapshot.current.version_id in memory.received | memory.recovered):
        return
    found = transition_of_run(snapshot, rejected=rejected, replaced=memory.replaced)
    if found is None:
        return
    transition, since = found
    event = Announcement(
        transition=transition,
        secret_id=secret_id,
        version_id=snapshot.current.version_id,
        provider=provider,
        fleet=None,
        since=since,
    )
    try:
        # After the run, which a bus that fails must not turn into a failure.
        Bus(client("events"), bus).send(event)
    except TokenRefreshError as error:
        log.warning("event_not_sent", transition=transition.value, error=str(error))
