"""Repeat a call that may succeed in a moment: the one place that knows tenacity."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar, cast

from tenacity import RetryCallState, Retrying, retry_if_exception, retry_if_result, wait_random_exponential

from token_refresh_worker.run.ports import Clock

T = TypeVar("T")


def repeat(  # noqa: PLR0913 - all but the call by name
    call: Callable[[], T],
    *,
    clock: Clock,
    until: float,
    errors: Callable[[BaseException], bool] = lambda _: False,
    results: Callable[[T], bool] = lambda _: False,
    limit: int = 1_000,
    first_wait_seconds: float = 0.2,
    longest_wait_seconds: float = 5.0,
    asked_seconds: Callable[[T], float] = lambda _: 0.0,
) -> T:
    """Call until it succeeds, and give the last result or raise the last error.

    `errors` and `results` say where a repeat may bring a better result; none begins after `until` on the stopwatch.
    Waits are random. Their upper bound doubles from the first to the longest; `asked_seconds` of a result is the lower.
    """
    backoff = wait_random_exponential(multiplier=first_wait_seconds, max=longest_wait_seconds)

    def wait_seconds(state: RetryCallState) -> float:
        assert state.outcome is not None  # noqa: S101 - tenacity asks after a call
        asked = 0.0 if state.outcome.failed else asked_seconds(state.outcome.result())
        return max(asked, backoff(state))

    return Retrying(
        retry=retry_if_exception(errors) | retry_if_result(results),
        wait=wait_seconds,
        # tenacity sets `upcoming_sleep` before it asks whether to stop.
        stop=lambda state: state.attempt_number >= limit or clock.monotonic() + state.upcoming_sleep >= until,
        sleep=clock.sleep,
        retry_error_callback=lambda state: cast("Future[T]", state.outcome).result(),
    )(call)
