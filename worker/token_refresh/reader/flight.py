"""One read that is on its way, shared by all who need it, and the entry that it brings."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from token_refresh.errors import TokenRefreshError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[T]):
    """A value with the Unix times, in seconds, at which its zones begin."""

    value: T
    refresh_at: float
    wait_at: float
    expires_at: float


class Flight:
    """One read: runs in one thread, and any number of threads and tasks wait for its end."""

    __slots__ = ("_done", "error", "number", "overdue_at", "rejecting")

    def __init__(self, *, number: int, overdue_at: float, rejecting: bool) -> None:
        """Begin.

        Args:
            number: Counts a cache's flights, so that one that was overtaken is known.
            overdue_at: The Unix time from which on others no longer count on it.
            rejecting: Whether the cached value was refused; becomes true when someone joins for that reason.
        """
        self.number = number
        self.overdue_at = overdue_at
        self.rejecting = rejecting
        self.error: TokenRefreshError | None = None
        self._done: Future[None] = Future()
        # A running future can't be cancelled, and so neither by a task that waits for it and is cancelled itself.
        self._done.set_running_or_notify_cancel()

    def end(self) -> None:
        """Let everyone go on who waits."""
        self._done.set_result(None)

    def wait(self, seconds: float) -> bool:
        """Wait for the end; False if it doesn't come in time."""
        try:
            self._done.result(seconds)
        except TimeoutError:
            return False
        return True

    async def await_end(self, seconds: float) -> bool:
        """Do what `wait` does, without blocking the event loop."""
        import asyncio  # noqa: PLC0415 - 30 ms that only those pay who use it, and they have it already

        try:
            async with asyncio.timeout(seconds):
                await asyncio.wrap_future(self._done)
        except TimeoutError:
            return False
        return True


class Ticket(NamedTuple):
    """What a caller holds who has to wait: the flight, and whether the caller is the one who runs it."""

    flight: Flight
    mine: bool


def bare(error: TokenRefreshError) -> TokenRefreshError:
    """Copy an error without its traceback, cause and context, so that each caller raises one of its own.

    The frames of a traceback hold the stored document, and tools that report errors print them.
    """
    return type(error)(*error.args)
