"""The Lambda handler: event in, outcome out, one last log line either way."""

from dataclasses import replace
from typing import Any

from token_refresh.adapters.telemetry import EVERYTHING, open_log, take_over_libraries
from token_refresh.bootstrap import SystemClock, build_run, environment
from token_refresh.config import check_timeout, read_settings, token_secret_id
from token_refresh.errors import InternalError, TokenRefreshError
from token_refresh.events import Trigger, check_secret, read_event
from token_refresh.outcome import Outcome, Summary
from token_refresh.refresh import Run

UNBOUNDED_SECONDS = 60.0
"""What a run is given where nobody says how long its process may live."""


def handler(event: object, context: Any) -> dict[str, str | None]:
    """Refresh the token secret where that is due; see https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html.

    Args:
        event: A scheduled event, `{}`, or `{"secret_id"?: str, "force"?: bool, "dry_run"?: bool}`.
        context: Lambda's context object: its request ID, and how much time is left.

    Returns:
        `outcome`, `secret_id`, `version_id`, `expires_at`, `due_at`, `request_id`, and `retry_at` where it yielded.

    Raises:
        TokenRefreshError: One of the named failures; Lambda reports its class name as `errorType`.
    """
    invocation = _Invocation(context)
    try:
        return invocation.run(event)
    except TokenRefreshError as error:
        failure: TokenRefreshError = error
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold a secret, and Lambda would print it
        failure = _defect(error)
    invocation.report(failure)
    # What led to it stays here: its text may quote a request, and Lambda's runtime prints what is raised.
    failure.__context__ = None
    raise failure.with_traceback(None) from None


class _Invocation:
    """One invocation, and what the last log line says of it."""

    def __init__(self, context: Any) -> None:
        self._clock = SystemClock()
        self._started = self._clock.monotonic()
        self._request_id: str | None = getattr(context, "aws_request_id", None)
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        self._time_left_seconds = remaining() / 1000 if remaining else UNBOUNDED_SECONDS
        self._secret_id = token_secret_id(environment())
        self._trigger = Trigger(name="on_demand")
        self._run: Run | None = None
        self._log = open_log(EVERYTHING, request_id=self._request_id)
        take_over_libraries("INFO", request_id=self._request_id)

    def run(self, event: object) -> dict[str, str | None]:
        self._trigger = read_event(event)
        settings = read_settings(environment())
        check_secret(self._trigger, settings.token_secret_id)
        check_timeout(settings.policy, self._time_left_seconds)
        take_over_libraries(settings.log_level, request_id=self._request_id, secret_id=self._secret_id)
        self._run = build_run(
            settings,
            replace(self._trigger, secret_id=None),
            clock=self._clock,
            log=open_log(settings.log_level, request_id=self._request_id, secret_id=self._secret_id),
            time_left_seconds=self._time_left_seconds,
        )
        outcome = self._run.execute()
        self.report(outcome)
        return outcome.as_result(self._request_id)

    def report(self, ended: Outcome | TokenRefreshError) -> None:
        """Write the last line, which is also the metric: at every level, exactly once."""
        memory = self._run.memory if self._run else None
        snapshot = memory.snapshot if memory else None
        expires_at = snapshot.current.document.expires_at if snapshot else None
        summary = Summary(
            trigger=self._trigger.name,
            secret_id=self._secret_id,
            duration_ms=round((self._clock.monotonic() - self._started) * 1000),
            attempts=memory.requests_sent if memory else 0,
            ended=ended,
            version_id=snapshot.current.version_id if snapshot else None,
            seconds_to_expiry=round((expires_at - memory.service_now()).total_seconds())
            if memory and expires_at
            else None,
        )
        write = self._log.error if summary.failed else self._log.info
        write(summary.event, **summary.fields(self._clock.unix_ms()))


def _defect(error: Exception) -> InternalError:
    """Say where a defect showed, and what kind it is; not what the data was."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    code = frame.tb_frame.f_code if frame else None
    place = f"{code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame and code else "an unknown place"
    return InternalError(
        f"{type(error).__name__} at {place}: a defect of this program; nothing stored was lost, and the next run goes "
        "on. Please report it with this line"
    )
