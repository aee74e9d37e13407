"""Repeat a call that may succeed in a moment."""

import random
from collections.abc import Callable
from typing import TypeVar

from token_refresh_worker.run.ports import Clock

T = TypeVar("T")


def repeat(  # noqa: PLR0913 - all but the call by name
    call: Callable[[], T],
    *,
    clock: Clock,
    until: float,
    errors: Callable[[Exception], bool] = lambda _: False,
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

    def waited(calls: int, asked: float = 0.0) -> bool:
        bound = min(first_wait_seconds * 2 ** min(calls, 30), longest_wait_seconds)
        wait_seconds = max(asked, random.uniform(0, bound))  # noqa: S311 - no secret depends on it
        if calls + 1 >= limit or clock.monotonic() + wait_seconds >= until:
            return False
        clock.sleep(wait_seconds)
        return True

    calls = 0
    while True:
        try:
            result = call()
        except Exception as error:
            if not errors(error) or not waited(calls):
                raise
        else:
            if not results(result) or not waited(calls, asked_seconds(result)):
                return result
        calls += 1
