"""One value that is read from elsewhere and kept: what both readers are made of.

          read ........ refresh_at ........ wait_at ........ expires_at ........
    zone        fresh               soft            overdue             expired
    gives       the cached value    the cached one  a new one, or else  a new one,
                                    at once; one    the cached one      or an error
                                    caller reads

At most one read is on its way at any time, the flight; whoever needs it waits for it and shares what it brings. A
token has no overdue zone unless its reader was given a `max_age`; another secret never expires.

The readers' fast path looks at `slot` alone: the value, and the time until which there is nothing to do.
"""

import logging
import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar, cast

from token_refresh.errors import TokenRefreshError
from token_refresh.reader import lifecycle
from token_refresh.reader.flight import Entry, Flight, Ticket, bare
from token_refresh.reader.runtime import Runtime

T = TypeVar("T")

# A flight that takes longer is given up by those who wait: its thread may have died in a fork or been frozen.
FLIGHT_SECONDS = 30.0
# While there is nothing to serve, an error is shared for no longer than this before the next read.
LONGEST_NEGATIVE_SECONDS = 5.0

logger = logging.getLogger("token_refresh.reader")


class Cache(Generic[T]):
    """Keeps one value and reads it anew when it is time."""

    def __init__(
        self,
        read: Callable[[Entry[T] | None, Callable[[], bool]], Entry[T]],
        *,
        background: bool,
        runtime: Runtime,
        flight_seconds: float = FLIGHT_SECONDS,
    ) -> None:
        """Start empty.

        Args:
            read: Reads the newest value, given the one before it and a function that tells whether that one was
                rejected. Raises `TokenRefreshError`, and never returns an entry that has expired.
            background: Whether a soft refresh runs in the background, rather than in the caller who came upon it.
            runtime: Time, threads and chance.
            flight_seconds: How long a flight may take before others give it up.
        """
        self.slot: tuple[T, float] = (cast("T", None), -math.inf)
        self._read = read
        self._background = background
        self._runtime = runtime
        self._flight_seconds = flight_seconds
        self._lock = threading.Lock()
        self._entry: Entry[T] | None = None
        self._flight: Flight | None = None
        self._flights = 0
        self._landed = 0  # the number of the newest flight that came to an end
        self._error: TokenRefreshError | None = None
        self._failures = 0
        self._retry_at = -math.inf
        self._rejections = 0
        self._check_at = -math.inf
        lifecycle.watch(self)

    def get(self) -> T:
        """Give the value, and wait for a read only where there is none to serve."""
        while True:
            found = self._look()
            if isinstance(found, Entry):
                return found.value
            self._ride(found)
            self._raise_if_empty(found.flight.error)

    async def aget(self) -> T:
        """Do what `get` does, without blocking the event loop."""
        while True:
            found = self._look()
            if isinstance(found, Entry):
                return found.value
            await self._aride(found)
            self._raise_if_empty(found.flight.error)

    def reject(self, refused: Callable[[T], bool]) -> bool:
        """Read the newest value because the cached one was refused, and say whether there is another one now.

        However many callers come, there is one read, and none where the cached value isn't a refused one any more.
        A value that comes back the same is not read again before a backoff.
        """
        while True:
            found = self._check(refused)
            if isinstance(found, bool):
                return found
            self._ride(found)

    async def areject(self, refused: Callable[[T], bool]) -> bool:
        """Do what `reject` does, without blocking the event loop."""
        while True:
            found = self._check(refused)
            if isinstance(found, bool):
                return found
            await self._aride(found)

    def after_fork(self) -> None:
        """Forget the lock and the flight: the threads that held them stayed in the parent."""
        self._lock = threading.Lock()
        self._flight = None

    def after_restore(self) -> None:
        """Look for a newer value at the next call: a snapshot may be weeks old, and many are restored at once."""
        self.after_fork()
        self._error = None
        self._retry_at = self._check_at = -math.inf
        self.slot = (self.slot[0], -math.inf)

    def _look(self) -> Entry[T] | Ticket:
        """Decide by the zone: serve the cached entry, or hand out a ticket for a flight."""
        now = self._runtime.clock()
        with self._lock:
            entry = self._usable(now)
            if entry is not None and now < self.slot[1]:
                return entry
            if entry is None:
                return self._look_for_first(now)
            # Where the read before failed, nobody waits for the next one: the store may be slow to fail.
            wait_at = entry.expires_at if self._failures else min(entry.wait_at, entry.expires_at)
            flight = self._live_flight(now)
            if flight is not None:
                return Ticket(flight, mine=False) if now >= wait_at else entry
            flight = self._begin(now, rejecting=False)
            # Until this flight is overdue, everyone who need not wait stays on the fast path.
            self.slot = (entry.value, min(flight.overdue_at, wait_at))
        if now >= wait_at or not self._background:
            return Ticket(flight, mine=True)
        self._launch(flight)
        return entry

    def _look_for_first(self, now: float) -> Ticket:
        """Join or begin a flight where there is nothing to serve, unless the last one failed a moment ago."""
        flight = self._live_flight(now)
        if flight is not None:
            return Ticket(flight, mine=False)
        # An error from further ahead was kept before the clock was set back: it would be shared for too long.
        if self._error is not None and now < self._retry_at <= now + LONGEST_NEGATIVE_SECONDS:
            raise bare(self._error)
        return Ticket(self._begin(now, rejecting=False), mine=True)

    def _check(self, refused: Callable[[T], bool]) -> bool | Ticket:
        """Decide whether a refused value was replaced, can't be looked up again yet, or is to be read anew."""
        now = self._runtime.clock()
        with self._lock:
            if self._entry is None or not refused(self._entry.value):
                return True
            if now < self._check_at:
                return False
            flight = self._live_flight(now)
            if flight is not None:
                flight.rejecting = True
                return Ticket(flight, mine=False)
            return Ticket(self._begin(now, rejecting=True), mine=True)

    def _usable(self, now: float) -> Entry[T] | None:
        entry = self._entry
        return entry if entry is not None and now < entry.expires_at else None

    def _live_flight(self, now: float) -> Flight | None:
        return self._flight if self._flight is not None and now < self._flight.overdue_at else None

    def _begin(self, now: float, *, rejecting: bool) -> Flight:
        self._flights += 1
        self._flight = Flight(number=self._flights, overdue_at=now + self._flight_seconds, rejecting=rejecting)
        return self._flight

    def _launch(self, flight: Flight) -> None:
        try:
            self._runtime.spawn(partial(self._run, flight))
        except RuntimeError:  # no thread to be had: at a limit, or while the interpreter shuts down
            self._run(flight)

    def _ride(self, ticket: Ticket) -> None:
        if ticket.mine:
            self._run(ticket.flight)
        else:
            self._leave(ticket.flight, ended=ticket.flight.wait(self._flight_seconds))

    async def _aride(self, ticket: Ticket) -> None:
        if ticket.mine:
            self._launch(ticket.flight)
        self._leave(ticket.flight, ended=await ticket.flight.await_end(self._flight_seconds))

    def _leave(self, flight: Flight, *, ended: bool) -> None:
        if not ended:
            self._clear(flight)

    def _clear(self, flight: Flight) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None

    def _raise_if_empty(self, error: TokenRefreshError | None) -> None:
        if error is not None and self._usable(self._runtime.clock()) is None:
            raise bare(error)

    def _run(self, flight: Flight) -> None:
        """Read, keep what came of it, and let everyone know, whatever happens on the way."""
        try:
            entry = self._read(self._entry, lambda: flight.rejecting)
        except TokenRefreshError as error:
            flight.error = bare(error)
            self._fail(flight, flight.error)
        else:
            self._land(flight, entry)
        finally:
            self._clear(flight)
            flight.end()

    def _land(self, flight: Flight, entry: Entry[T]) -> None:
        now = self._runtime.clock()
        with self._lock:
            if flight.number < self._landed:  # given up, and overtaken
                return
            same = self._entry is not None and self._entry.value == entry.value
            self._landed, self._entry = flight.number, entry
            self._failures, self._error, self._retry_at = 0, None, -math.inf
            if same and flight.rejecting:
                self._rejections += 1
                self._check_at = now + self._runtime.backoff_seconds(self._rejections)
            elif not same:
                self._rejections, self._check_at = 0, -math.inf
            self.slot = (entry.value, min(entry.refresh_at, entry.expires_at))

    def _fail(self, flight: Flight, error: TokenRefreshError) -> None:
        now = self._runtime.clock()
        with self._lock:
            if flight.number < self._landed:
                return
            self._landed, self._error = flight.number, error
            self._failures += 1
            entry = self._usable(now)
            if entry is None:
                longest_seconds = LONGEST_NEGATIVE_SECONDS
                self._retry_at = now + self._runtime.backoff_seconds(self._failures, longest_seconds=longest_seconds)
            else:
                self._retry_at = min(now + self._runtime.backoff_seconds(self._failures), entry.expires_at)
                self.slot = (entry.value, self._retry_at)
            self._check_at = self._retry_at
        if entry is not None:
            logger.warning("serving the cached value: %s: %s", type(error).__name__, error)
