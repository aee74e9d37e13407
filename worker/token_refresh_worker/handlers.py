"""The entry points of Lambda's functions.

    refresh    the function of one secret, and a fleet's worker: event in, outcome out, one last log line either way
    dispatch   a fleet's dispatcher, once a minute
    resync     a fleet's resync, once an hour

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from token_refresh.errors import InternalError, TokenRefreshError
from token_refresh_worker import cold_start
from token_refresh_worker.adapters.telemetry import EVERYTHING, open_log, take_over_libraries
from token_refresh_worker.bootstrap import SystemClock, build_run
from token_refresh_worker.core.schedule import Policy, due_at
from token_refresh_worker.run.events import Trigger, check_secret, is_queue_event, read_event
from token_refresh_worker.run.outcome import Outcome, RunFacts, Summary
from token_refresh_worker.run.ports import Log
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.settings import check_timeout, read_settings, token_secret_id

DEFAULT_TIME_LEFT_SECONDS: Final = 60.0
"""For a caller whose context object does not say how much time is left, such as a test."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def refresh(event: object, context: Any) -> dict[str, Any]:
    """Refresh the token secret if it is due.

    Args:
        event: A scheduled event, `{}`, `{"secret_id"?: str, "force"?: bool, "dry_run"?: bool}`, or a batch of a
            fleet's queue.
        context: Lambda's context object: its request ID, and how much time is left.

    Returns:
        `outcome`, `secret_id`, `version_id`, `expires_at`, `due_at`, `request_id`, and `retry_at` if it yielded;
        for a batch `batchItemFailures`, which is empty: the index repeats what failed.

    Raises:
        TokenRefreshError: One of the named failures; Lambda reports its class name as `errorType`.
    """
    fleet = os.environ.get("FLEET_NAME") or is_queue_event(event)
    ended = (_run_in_fleet if fleet else _run)(event, context)
    cold_start.end()
    if not isinstance(ended, TokenRefreshError):
        return ended
    del event, context  # Error reporters print the variables of this frame, and an event can hold anything.
    # Without its context, whose text may quote a request: Lambda's runtime prints what is raised.
    ended.__context__ = None
    raise ended.with_traceback(None) from None


def dispatch(event: object, context: Any) -> dict[str, int]:  # noqa: ARG001 - Lambda gives it
    """Hand out what is due in this minute.

    Args:
        event: Anything; EventBridge Scheduler sends one a minute.
        context: Lambda's context object: its request ID.

    Returns:
        `size`, `handed_out`, `waiting`.

    Raises:
        TokenRefreshError: Table or queue refuse or can't be reached. Nothing is lost: what is due stays due.
    """
    # Imported here, as below: the function of one secret needs none of it.
    from token_refresh_worker.fleet.dispatcher import dispatch_minute  # noqa: PLC0415

    return _look_after_fleet(dispatch_minute, context)


def resync(event: object, context: Any) -> dict[str, int]:  # noqa: ARG001 - Lambda gives it
    """Compare a fleet's index with the secrets that carry the fleet's tag.

    Args:
        event: Anything; EventBridge Scheduler sends one an hour.
        context: Lambda's context object: its request ID.

    Returns:
        `added`, `removed`, `looked_at`, and `not_believed`: rows that an incomplete listing lacks and that stay.

    Raises:
        TokenRefreshError: Table or listing refuse or can't be reached. The next resync goes on.
    """
    from token_refresh_worker.fleet.resync import resync_index  # noqa: PLC0415 - see `dispatch`

    return _look_after_fleet(resync_index, context)


def _look_after_fleet(act: Callable[[Log], dict[str, int]], context: Any) -> dict[str, int]:
    request_id = getattr(context, "aws_request_id", None)
    take_over_libraries("INFO", request_id=request_id)
    try:
        return act(open_log(EVERYTHING, request_id=request_id))
    finally:
        cold_start.end()


def _run(event: object, context: Any) -> dict[str, Any] | TokenRefreshError:
    invocation = Invocation(context)
    ended = invocation.execute(lambda: (read_event(event), os.environ))
    invocation.announce(ended)
    return ended.as_result(invocation.request_id) if isinstance(ended, Outcome) else ended


def _run_in_fleet(event: object, context: Any) -> dict[str, Any] | TokenRefreshError:
    from token_refresh_worker.fleet.queue_worker import run_event  # noqa: PLC0415 - see `dispatch`

    return run_event(event, lambda fleet: Invocation(context, fleet=fleet))


class Invocation:
    """One run, and what the last log line says of it."""

    def __init__(self, context: Any, *, fleet: str | None = None) -> None:
        self._clock = SystemClock()
        self._started = self._clock.monotonic()
        self.request_id: str | None = getattr(context, "aws_request_id", None)
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        self._time_left_seconds = remaining() / 1000 if remaining else DEFAULT_TIME_LEFT_SECONDS
        self._fleet = fleet or None
        self._secret_id = token_secret_id(os.environ)
        self._trigger = Trigger(name="on_demand")
        self._provider: str | None = None
        self._policy: Policy | None = None
        self._run: Run | None = None
        self.due_before: datetime | None = None
        """When the secret was due, as a fleet's index knows it."""
        self._log = open_log(EVERYTHING, request_id=self.request_id)
        # Before anything can log: the settings, and with them the level, are not read yet.
        take_over_libraries("INFO", request_id=self.request_id)

    def execute(
        self, start: Callable[[], tuple[Trigger, Mapping[str, str]]], *, secret_id: str | None = None
    ) -> Outcome | TokenRefreshError:
        """Run, and write the last log line. An error is returned, not raised.

        Args:
            start: Gives what starts the run, and its environment; it may raise.
            secret_id: The secret that the log names where even the environment can't be made.
        """
        self._secret_id = secret_id or self._secret_id
        try:
            ended: Outcome | TokenRefreshError = self._execute(*start())
        except TokenRefreshError as error:
            ended = error
        except Exception as error:  # noqa: BLE001 - its text may hold a secret, and Lambda would print it
            ended = _defect(error)
        self._report(ended)
        return ended

    def announce(self, ended: Outcome | TokenRefreshError) -> None:
        """Send the event that the run calls for, if the deployment names a bus."""
        bus = os.environ.get("EVENT_BUS")
        if not bus or self._run is None:
            return
        # Imported here: few deployments have a bus.
        from token_refresh_worker.fleet.single_mode import announce  # noqa: PLC0415

        provider = self._provider or ""
        announce(self._run.memory, ended, bus=bus, secret_id=self._secret_id, provider=provider, log=self._log)

    def _execute(self, trigger: Trigger, variables: Mapping[str, str]) -> Outcome:
        self._trigger = trigger
        settings = read_settings(variables)
        self._secret_id = settings.token_secret_id
        check_secret(trigger, settings.token_secret_id)
        check_timeout(settings.policy, self._time_left_seconds)
        take_over_libraries(settings.log_level, request_id=self.request_id, secret_id=self._secret_id)
        self._provider, self._policy = settings.provider.name, settings.policy
        self._run = build_run(
            settings,
            replace(trigger, secret_id=None),
            clock=self._clock,
            log=open_log(settings.log_level, request_id=self.request_id, secret_id=self._secret_id),
            # A fleet has read the row by now, and perhaps the document; slow reads must not move the deadline.
            time_left_seconds=self._time_left_seconds - (self._clock.monotonic() - self._started),
        )
        return self._run.execute()

    def facts(self, began_at: datetime) -> RunFacts:
        """Give what the run learned, for the last log line and a fleet's index.

        Args:
            began_at: The time of a run that read nothing, by the clock of a service.
        """
        memory = self._run.memory if self._run else None
        snapshot = memory.snapshot if memory else None
        if memory is None or snapshot is None or self._policy is None:
            return RunFacts(at=began_at)
        document = snapshot.current.document
        return RunFacts(
            at=memory.service_now(),
            requests=memory.requests_sent,
            provider=self._provider,
            version_id=snapshot.current.version_id,
            expires_at=document.expires_at,
            due_at=due_at(document, self._policy),
            grant_ends_at=document.origin.grant_ends_at if document.origin else None,
            grant_ending_at=document.origin.grant_ending_at if document.origin else None,
        )

    def _report(self, ended: Outcome | TokenRefreshError) -> None:
        """Write the last line, which is also the metric: at every level, exactly once."""
        elapsed_seconds = self._clock.monotonic() - self._started
        facts = self.facts(EPOCH)
        remaining = facts.expires_at - facts.at if facts.expires_at else None
        summary = Summary(
            trigger=self._trigger.name,
            secret_id=self._secret_id,
            duration_ms=round(elapsed_seconds * 1000),
            attempts=facts.requests,
            ended=ended,
            version_id=facts.version_id,
            seconds_to_expiry=round(remaining.total_seconds()) if remaining else None,
            provider=self._provider,
            fleet=self._fleet,
            seconds_after_due=self._seconds_after_due(ended, facts),
        )
        write = self._log.error if summary.failed else self._log.info
        write(summary.event, **summary.fields(self._clock.unix_ms()))

    def _seconds_after_due(self, ended: Outcome | TokenRefreshError, facts: RunFacts) -> int | None:
        if self.due_before is None or not (isinstance(ended, Outcome) and ended.made_current):
            return None
        return max(0, round((facts.at - self.due_before).total_seconds()))


def _defect(error: Exception) -> InternalError:
    """Say where a defect was raised, and of which type; not what the data was."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    code = frame.tb_frame.f_code if frame else None
    place = f"{code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame and code else "an unknown place"
    return InternalError(
        f"{type(error).__name__} at {place}: a defect of this program; nothing stored was lost, and the next run goes "
        "on. Please report it with this line"
    )
