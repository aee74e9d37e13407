"""How a run calls AWS: one attempt a request, repeated here while the failure may pass and the deadline allows."""

from collections.abc import Callable
from typing import Final, TypeVar

from token_refresh.aws.calls import CallFailed, Repeat
from token_refresh.aws.causes import Cause
from token_refresh.aws.clients import ClientLimits
from token_refresh_worker.run.ports import Deadline
from token_refresh_worker.run.retry import repeat

T = TypeVar("T")

PATIENCE_SECONDS: Final = 10.0
"""How long a call is repeated while AWS can't be reached, throttles or fails."""

# Repeats are made here, within the run's deadline, and with the same version ID and value.
RUN_LIMITS: Final = ClientLimits(connect_seconds=2, read_seconds=4, attempts=1)
OVERRUN_SECONDS: Final = RUN_LIMITS.connect_seconds + RUN_LIMITS.read_seconds
"""How far one call may run past the deadline: both of its time limits."""


def until(deadline: Deadline, *, after_write: bool = False) -> Repeat:
    """Repeat a call after each failure that may pass, with random waits; none begins after the deadline.

    `after_write` says that the call follows a write: a new version can be unknown to the next call for a moment.
    """
    passing = {Cause.THROTTLED, Cause.SERVER_ERROR, Cause.UNREACHABLE}
    if after_write:
        passing |= {Cause.NOT_FOUND, Cause.NO_VALUE}

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, CallFailed) and error.failure.cause in passing

    def repeated(attempt: Callable[[], T], /) -> T:
        clock = deadline.clock
        end = min(clock.monotonic() + PATIENCE_SECONDS, deadline.at)
        return repeat(attempt, clock=clock, until=end, errors=may_pass, longest_wait_seconds=2.0)

    return repeated
