"""Repeat a call that may succeed in a moment: the one place that knows tenacity."""

from collections.abc import Callable
from itertools import chain, cycle
from typing import TYPE_CHECKING, TypeVar, cast

from token_refresh_worker.run.ports import Clock

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tenacity import RetryCallState

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
    failed: BaseException | None = None
    try:
        result = call()
    except BaseException as error:
        if not errors(error):
            raise
        failed = error
    else:
        if not results(result):
            return result
    # Imported after a failure: most calls succeed at once, and it costs a cold start 3 ms (`scripts/bench worker`).
    import tenacity  # noqa: PLC0415

    def first() -> T:
        if failed is not None:
            raise failed
        return result

    calls = chain((first,), cycle((call,)))
    again = tenacity.retry_if_exception(errors) | tenacity.retry_if_result(results)
    backoff = tenacity.wait_random_exponential(multiplier=first_wait_seconds, max=longest_wait_seconds)

    def wait_seconds(state: "RetryCallState") -> float:
        assert state.outcome is not None  # noqa: S101 - tenacity asks after a call
        asked = 0.0 if state.outcome.failed else asked_seconds(state.outcome.result())
        return max(asked, backoff(state))

    return tenacity.Retrying(
        retry=lambda state: state.attempt_number == 1 or again(state),  # the first was judged above
        wait=wait_seconds,
        # tenacity sets `upcoming_sleep` before it asks whether to stop.
        stop=lambda state: state.attempt_number >= limit or clock.monotonic() + state.upcoming_sleep >= until,
        sleep=clock.sleep,
        retry_error_callback=lambda state: cast("Future[T]", state.outcome).result(),
    )(lambda: next(calls)())  # noqa: PLW0108 - the next one each time
