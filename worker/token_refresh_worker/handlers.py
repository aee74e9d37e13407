"""The entry points of Lambda's functions.

    refresh    the function of one secret, and a fleet's worker: event in, outcome out, one last log line either way
    dispatch   a fleet's dispatcher, once a minute
    resync     a fleet's resync, every five minutes

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from token_refresh_worker import cold_start
from token_refresh_worker.adapters.telemetry import EVERYTHING, open_log, take_over_libraries
from token_refresh_worker.bootstrap import SystemClock, build_run, open_bus
from token_refresh_worker.run.events import Trigger, check_secret, is_queue_event, is_scheduled, read_event
from token_refresh_worker.run.invocation import Invocation
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.run.ports import Deadline, Log
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.settings import read_settings, token_secret_id

DEFAULT_TIME_LEFT_SECONDS: Final = 60.0
"""For a caller whose context object does not say how much time is left, such as a test."""


def refresh(event: object, context: Any) -> dict[str, Any]:
    """Refresh the token secret if it is due.

    Args:
        event: A scheduled event, `{}`, `{"secret_id"?: str, "force"?: bool, "resend"?: str, "dry_run"?: bool}`, or a
            batch of a fleet's queue.
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
    if not isinstance(ended, Outcome):
        return ended
    if ended.error is None:
        return ended.as_result(getattr(context, "aws_request_id", None))
    del event, context  # Error reporters print the variables of this frame, and an event can hold anything.
    # Without its context, whose text may quote a request: Lambda's runtime prints what is raised.
    ended.error.__context__ = None
    raise ended.error.with_traceback(None) from None


def dispatch(event: object, context: Any) -> dict[str, int]:
    """Hand out what is due in this minute.

    Args:
        event: Anything; EventBridge Scheduler sends one a minute, and that one waits for the dispatcher before it.
        context: Lambda's context object: its request ID.

    Returns:
        `size`, `handed_out`, `waiting`.

    Raises:
        TokenRefreshError: Table or queue refuse or can't be reached. Nothing is lost: what is due stays due.
    """
    # Imported here, as below: the function of one secret needs none of it, and with it misses its limit where nothing
    # is due, by 0.05 of the straightforward handler's cold start (`scripts/bench worker`).
    from token_refresh_worker.fleet.dispatcher import dispatch_minute  # noqa: PLC0415

    return _look_after_fleet(partial(dispatch_minute, waits=is_scheduled(event)), context)


def resync(event: object, context: Any) -> dict[str, int]:  # noqa: ARG001 - Lambda gives it
    """Compare a fleet's index with the secrets that carry the fleet's tag.

    Args:
        event: Anything; EventBridge Scheduler sends one every five minutes.
        context: Lambda's context object: its request ID.

    Returns:
        `added`, `removed`, `looked_at`, and `not_believed`: rows that an incomplete listing lacks and that stay.

    Raises:
        TokenRefreshError: Table or listing refuse or can't be reached. The next resync goes on.
    """
    from token_refresh_worker.fleet.resync import resync_index  # noqa: PLC0415 - see `dispatch`

    return _look_after_fleet(resync_index, context)


def open_invocation(context: Any, fleet: str | None = None) -> Invocation:
    """Begin a run of this process."""
    request_id = getattr(context, "aws_request_id", None)
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    left_seconds, clock = remaining() / 1000 if remaining else DEFAULT_TIME_LEFT_SECONDS, SystemClock()
    # Counted from here: a fleet reads the row first, and slow reads must not move the deadline.
    deadline = Deadline(clock=clock, at=clock.monotonic() + left_seconds)
    # Before anything can log: the settings, and with them the level, are not read yet.
    take_over_libraries("INFO", request_id=request_id)

    def build(trigger: Trigger, variables: Mapping[str, str]) -> Run:
        settings = read_settings(variables)
        check_secret(trigger, settings.token_secret_id)
        bound = {"request_id": request_id, "secret_id": settings.token_secret_id}
        take_over_libraries(settings.log_level, **bound)
        log = open_log(settings.log_level, **bound)
        return build_run(settings, trigger, clock=clock, log=log, time_left_seconds=deadline.remaining_seconds)

    return Invocation(
        secret_id=token_secret_id(os.environ),
        clock=clock,
        log=open_log(EVERYTHING, request_id=request_id),
        build=build,
        fleet=fleet or None,
    )


def _run(event: object, context: Any) -> Outcome:
    invocation = open_invocation(context)
    report = invocation.run(lambda: (read_event(event), os.environ))
    if bus := os.environ.get("EVENT_BUS"):
        invocation.announce(report, partial(open_bus, bus))
    return report


def _run_in_fleet(event: object, context: Any) -> Outcome | dict[str, Any]:
    from token_refresh_worker.fleet.worker import run_event  # noqa: PLC0415 - see `dispatch`

    return run_event(event, partial(open_invocation, context))


def _look_after_fleet(act: Callable[[Log], dict[str, int]], context: Any) -> dict[str, int]:
    request_id = getattr(context, "aws_request_id", None)
    take_over_libraries("INFO", request_id=request_id)
    try:
        return act(open_log(EVERYTHING, request_id=request_id))
    finally:
        cold_start.end()
