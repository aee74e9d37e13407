"""One value, read from a store and kept: the core of all readers.

One fetch runs at a time. Callers who need its result wait for it and share it. A reader with a fast path gets each
value, and until when there is nothing to do.
"""

import logging
import math
import threading
from collections.abc import Callable
from functools import partial
from operator import eq
from typing import Generic, TypeVar

from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError, detached, without_traceback
from token_refresh.reader.fetch import FETCH_SECONDS, SET_BACK_SECONDS, CacheEntry, Fetch, Read, need_asyncio
from token_refresh.reader.pauses import RetryPauses
from token_refresh.reader.runtime import ForkAware, Runtime, tell_of_forks

T = TypeVar("T")

logger = logging.getLogger("token_refresh.reader")


class Cache(ForkAware, Generic[T]):
    """Keeps one value and reads a new one when it is time."""

    def __init__(  # noqa: PLR0913 - how to read, and seven settings by name
        self,
        read: Read[T],
        *,
        background: bool,
        runtime: Runtime,
        fetch_seconds: float = FETCH_SECONDS,
        pauses: RetryPauses | None = None,
        name: str = "the secret",
        same: Callable[[T, T], bool] = eq,
        publish: Callable[[T, float], None] = lambda _value, _until: None,
    ) -> None:
        """Start empty.

        Args:
            read: Reads the newest value, given the cached entry and a function that says whether the cached value was
                rejected. Raises `TokenRefreshError`, and never returns an expired entry.
            background: Whether a soft read runs in the background, and not in the caller who begins it.
            runtime: Time, threads and chance.
            fetch_seconds: How long waiting callers give a fetch.
            pauses: Between reads that fail or that look for another value; by default those of a token.
            name: What is read, for messages.
            same: Whether two values are the same to an API that rejects one of them.
            publish: Is called with each new value, and the Unix time until which nobody need ask for it.
        """
        self._read = read
        self._background = background
        self._runtime = runtime
        self._fetch_seconds = fetch_seconds
        self._lock = threading.Lock()
        self._asked_at = -math.inf
        self._entry: CacheEntry[T] | None = None
        self._idle_until = -math.inf
        self._publish = publish
        self._fetch: Fetch | None = None
        self._begun = 0
        self._finished = 0  # the number of the newest fetch that has ended
        self._pauses = pauses or RetryPauses(runtime)
        self._name = name
        self._same = same
        tell_of_forks(self)

    def get(self) -> T:
        """Return the value; wait for a read only if there is none to serve."""
        # A loop: the fetch that was waited for may have been given up, or its value may have expired meanwhile.
        while True:
            found = self._serve_or_fetch()
            if not isinstance(found, Fetch):
                return found.value
            self._complete(found)
            self._raise_if_empty(found.error)

    async def aget(self) -> T:
        """Do what `get` does, without blocking the event loop."""
        while True:
            found = self._serve_or_fetch()
            if not isinstance(found, Fetch):
                return found.value
            await self._acomplete(found)
            self._raise_if_empty(found.error)

    def state(self) -> tuple[CacheEntry[T] | None, TokenRefreshError | None]:
        """Return the cached entry, expired or not, and why the last read failed, if it did."""
        with self._lock:
            return self._entry, self._pauses.error

    def reject(self, rejected: Callable[[T], bool]) -> bool:
        """Read the newest value because the cached one was rejected; return whether there is another one now.

        All callers share one read. There is none if another value is cached already, or while a pause lasts.
        """
        found = self._settle_or_fetch(rejected)
        if isinstance(found, bool):
            return found
        self._complete(found)
        return self._is_replaced(rejected)

    async def areject(self, rejected: Callable[[T], bool]) -> bool:
        """Do what `reject` does, without blocking the event loop."""
        found = self._settle_or_fetch(rejected)
        if isinstance(found, bool):
            return found
        await self._acomplete(found)
        return self._is_replaced(rejected)

    def after_fork(self) -> None:
        """Forget the lock and the fetch: the threads that held them stayed in the parent."""
        self._lock = threading.Lock()
        self._fetch = None

    def after_restore(self) -> None:
        """Read at the next call: a snapshot may be weeks old, and many processes are restored from it at once."""
        self.after_fork()
        self._pauses.reset()
        self._rest(-math.inf)

    def _serve_or_fetch(self) -> CacheEntry[T] | Fetch:
        """Decide by the zone: the entry to serve, or the fetch to wait for."""
        now = self._runtime.clock()
        if self._fetch is not None:  # seldom, and this is the path of each webhook
            self._give_up(self._overdue(now))
        with self._lock:
            entry = self._usable(now)
            # Otherwise a withdrawn secret would be accepted until the old time comes again.
            if now < self._asked_at - SET_BACK_SECONDS:
                self._rest(-math.inf)
            self._asked_at = now
            if entry is not None and now < self._idle_until:
                return entry
            if entry is None:
                return self._fetch_first(now)
            # After a failed read nobody waits for the next one: the store may be slow to fail.
            wait_at = entry.expires_at if self._pauses.error else min(entry.wait_at, entry.expires_at)
            if self._fetch is not None:
                return self._fetch if now >= wait_at else entry
            fetch = self._begin(now, rejecting=False)
            # Until this fetch is given up, callers who need not wait stay on the fast path.
            self._rest(min(fetch.gives_up_at, wait_at))
        if now >= wait_at or not self._background:
            return fetch
        self._launch(fetch)
        return entry

    def _fetch_first(self, now: float) -> Fetch:
        """Join or begin a fetch while there is nothing to serve, unless the last one failed a moment ago."""
        if self._fetch is not None:
            return self._fetch
        if self._pauses.error and not self._pauses.may_read(now):
            raise without_traceback(self._pauses.error)
        return self._begin(now, rejecting=False)

    def _settle_or_fetch(self, rejected: Callable[[T], bool]) -> bool | Fetch:
        """Decide whether a rejected value was replaced, can't be looked up yet, or has to be read again."""
        now = self._runtime.clock()
        self._give_up(self._overdue(now))
        with self._lock:
            if self._is_replaced(rejected):
                return True
            if not self._pauses.may_read(now):
                return False
            # A read that began before the rejection counts: it may end with the newer value, and one read is enough.
            if self._fetch is not None:
                self._fetch.rejecting = True
                return self._fetch
            return self._begin(now, rejecting=True)

    def _is_replaced(self, rejected: Callable[[T], bool]) -> bool:
        entry = self._entry
        return entry is None or not rejected(entry.value)

    def _rest(self, until: float) -> None:
        """Do nothing until then: the entry is served as it is."""
        self._idle_until = until
        if self._entry is not None:
            self._publish(self._entry.value, until)

    def _usable(self, now: float) -> CacheEntry[T] | None:
        entry = self._entry
        return entry if entry is not None and now < entry.expires_at else None

    def _overdue(self, now: float) -> Fetch | None:
        fetch = self._fetch
        return fetch if fetch is not None and now >= fetch.gives_up_at else None

    def _begin(self, now: float, *, rejecting: bool) -> Fetch:
        self._begun += 1
        self._fetch = Fetch(number=self._begun, gives_up_at=now + self._fetch_seconds, rejecting=rejecting)
        return self._fetch

    def _complete(self, fetch: Fetch) -> None:
        # Without `claim` the waiting callers would each read: fifty at once cost one read (test_threads.py).
        if fetch.claim():
            self._run(fetch)
        elif not fetch.wait(self._fetch_seconds):
            self._give_up(fetch)

    async def _acomplete(self, fetch: Fetch) -> None:
        need_asyncio()
        self._launch(fetch)
        if not await fetch.wait_async(self._fetch_seconds):
            self._give_up(fetch)

    def _launch(self, fetch: Fetch) -> None:
        """Run a fetch in the background, unless another caller runs it already."""
        if not fetch.claim():
            return
        try:
            self._runtime.spawn(partial(self._run, fetch))
        # A soft read is then made by its caller, late but certain.
        except RuntimeError:  # no thread can be started: a limit, or the interpreter shuts down
            self._run(fetch)

    def _give_up(self, fetch: Fetch | None) -> None:
        """Forget a fetch that takes too long; while there is a value to serve, it has failed."""
        if fetch is not None and self._forget(fetch) and self._usable(self._runtime.clock()):
            why = f"a read takes over {self._fetch_seconds:.0f} s: check the network and the client's timeouts"
            self._keep_error(fetch, SecretStoreUnavailable(f"{self._name}: {why}"))

    def _forget(self, fetch: Fetch) -> bool:
        with self._lock:
            found = self._fetch is fetch
            if found:
                self._fetch = None
        return found

    def _raise_if_empty(self, error: TokenRefreshError | None) -> None:
        if error is not None and self._usable(self._runtime.clock()) is None:
            raise without_traceback(error)

    def _run(self, fetch: Fetch) -> None:
        """Read, keep the result, and wake all who wait, whatever happens."""
        try:
            entry = self._read(self._entry, lambda: fetch.rejecting)
        except Exception as error:  # noqa: BLE001 - a background thread's traceback would show the stored value
            fetch.error = detached(error)
            self._keep_error(fetch, fetch.error)
        else:
            self._keep(fetch, entry)
        finally:
            # Forgotten first: a caller that wakes must not join the fetch that just ended.
            self._forget(fetch)
            fetch.finish()

    def _keep(self, fetch: Fetch, entry: CacheEntry[T]) -> None:
        now = self._runtime.clock()
        with self._lock:
            if fetch.number < self._finished:  # given up, and overtaken
                return
            cached, self._entry, self._finished = self._entry, entry, fetch.number
            if cached is not None and self._same(cached.value, entry.value):
                self._pauses.unchanged(now, rejected=fetch.rejecting)
            else:
                self._pauses.changed(now, rejected=fetch.rejecting)
            self._rest(min(entry.refresh_at, entry.expires_at))

    def _keep_error(self, fetch: Fetch, error: TokenRefreshError) -> None:
        now = self._runtime.clock()
        with self._lock:
            # A late failure must not hide the value of a read that overtook it.
            if fetch.number < self._finished:
                return
            self._finished = fetch.number
            entry = self._usable(now)
            retry_at = self._pauses.failed(error, now, good_until=entry.expires_at if entry else None)
            if entry is not None:
                self._rest(retry_at)
        if entry is not None:
            logger.warning("serving the cached value: %s: %s", type(error).__name__, error)
