"""Repeat a call that may succeed in a moment: the one place that knows tenacity."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    wait_random_exponential,
)

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

    Args:
        call: What is called, at least once.
        clock: The stopwatch; it also sleeps.
        until: When no repeat may begin any more, on the clock's stopwatch.
        errors: Says of an error whether a repeat may succeed.
        results: Says of a result whether a repeat may bring a better one.
        limit: How many calls are made at most.
        first_wait_seconds: The upper bound of the first random wait; it doubles from there.
        longest_wait_seconds: The upper bound of every random wait.
        asked_seconds: How long a result asks to wait at least.
    """
    backoff = wait_random_exponential(multiplier=first_wait_seconds, max=longest_wait_seconds)

    def wait_seconds(state: RetryCallState) -> float:
        assert state.outcome is not None  # noqa: S101 - tenacity asks after a call
        asked = 0.0 if state.outcome.failed else asked_seconds(state.outcome.result())
        return max(asked, backoff(state))

    def last(state: RetryCallState) -> T:
        assert state.outcome is not None  # noqa: S101 - likewise
        result: T = state.outcome.result()
        return result

    return Retrying(
        retry=retry_if_exception(errors) | retry_if_result(results),
        wait=wait_seconds,
        # tenacity sets `upcoming_sleep` before it asks whether to stop.
        stop=lambda state: state.attempt_number >= limit or clock.monotonic() + state.upcoming_sleep >= until,
        sleep=clock.sleep,
        retry_error_callback=last,
    )(call)
