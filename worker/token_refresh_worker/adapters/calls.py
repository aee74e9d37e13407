"""One call to AWS, repeated while its failure is transient. Secrets and claims use the same limits."""

from collections.abc import Callable
from typing import Final, TypeVar

from botocore.config import Config

from token_refresh_worker.adapters.call_errors import CallError, TransientCallError
from token_refresh_worker.run.ports import Deadline
from token_refresh_worker.run.retry import repeat

T = TypeVar("T")

PATIENCE_SECONDS: Final = 10.0
"""How long a call is repeated while AWS can't be reached, throttles or fails."""

CLIENT_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=4,
    # One attempt a call: repeats are made here, within the run's deadline, and with the same version ID and value.
    retries={"total_max_attempts": 1, "mode": "standard"},
)
OVERRUN_SECONDS: Final = 6.0
"""How far one call may run past the deadline: both of its time limits."""


def call(make: Callable[[], T], deadline: Deadline, *, after_write: bool = False) -> T:
    """Make a call and read its response; repeat it only after a transient failure.

    Args:
        make: Calls the client, and reads the response.
        deadline: No repeat begins after it.
        after_write: Whether the call follows a write; see `CallError.of`.

    Raises:
        CallError: The call failed, the last time too.
    """

    def once() -> T:
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - a malformed response raises whatever its parser meets
            # Without the cause: a parser's error can quote the response.
            raise CallError.of(error, after_write=after_write) from None

    clock = deadline.clock
    return repeat(
        once,
        clock=clock,
        until=min(clock.monotonic() + PATIENCE_SECONDS, deadline.at),
        errors=(TransientCallError,),
        longest_wait_seconds=2.0,
    )
