"""One read of the newest value, which any number of callers wait for, and what it brings: an entry.

      read ........ refresh_at ........ wait_at ........ expires_at ........
zone        fresh               soft            overdue             expired
gives       the cached value    the cached one  a new one, or else  a new one,
                                at once; one    the cached one      or an error
                                caller reads
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final, Generic, NamedTuple, TypeVar

from token_refresh.errors import ConfigurationError, TokenRefreshError

T = TypeVar("T")

# Waiting callers give up a fetch that takes longer: its thread may have been frozen, or lost in a fork.
FETCH_SECONDS: Final = 30.0

# A clock this far behind its last reading was set back. A smaller step is a thread that waited for its turn.
SET_BACK_SECONDS: Final = 60.0


class CacheEntry(NamedTuple, Generic[T]):
    """A value with the Unix times, in seconds, at which it was read and its zones begin."""

    value: T
    read_at: float
    refresh_at: float
    wait_at: float
    expires_at: float


Read = Callable[[CacheEntry[T] | None, Callable[[], bool]], CacheEntry[T]]


def need_asyncio() -> None:
    """Refuse to wait where no event loop of asyncio runs."""
    import asyncio  # noqa: PLC0415 - 30 ms, which only its users should pay; they have loaded it already

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass  # raised below, without that error as its context
    else:
        return
    raise ConfigurationError(
        "the asynchronous methods of a reader need asyncio, and no event loop of it runs here",
        fix="Under trio, call the synchronous methods in a thread: await trio.to_thread.run_sync(tokens.get)",
    )


class Fetch:
    """One read: runs once, in one thread, while other threads and tasks wait for its end."""

    __slots__ = ("_done", "_unclaimed", "error", "gives_up_at", "number", "rejecting")

    def __init__(self, *, number: int, gives_up_at: float, rejecting: bool) -> None:
        self.number = number  # counts a cache's fetches, so that an overtaken one is known
        self.gives_up_at = gives_up_at  # the Unix time from which others no longer wait for it
        self.rejecting = rejecting  # becomes true when a caller joins because the cached value was rejected
        self.error: TokenRefreshError | None = None
        self._unclaimed = Lock()
        self._done: Future[None] = Future()
        # A running future can't be cancelled, and so neither by a waiting task that is cancelled itself.
        self._done.set_running_or_notify_cancel()

    def claim(self) -> bool:
        """Take the job of running it; true for one caller only."""
        return self._unclaimed.acquire(blocking=False)

    def finish(self) -> None:
        """Wake all who wait."""
        self._done.set_result(None)

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False if it does not come in time."""
        try:
            self._done.result(seconds)
        except TimeoutError:
            return False
        return True

    async def wait_async(self, seconds: float) -> bool:
        """Do what `wait` does, without blocking the event loop."""
        import asyncio  # noqa: PLC0415 - as in `need_asyncio`

        try:
            async with asyncio.timeout(seconds):
                await asyncio.wrap_future(self._done)
        except TimeoutError:
            return False
        return True
