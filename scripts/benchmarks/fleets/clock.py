"""A virtual clock for code that knows nothing of it: threads of which one runs at a time, and sleep by events."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

STARTED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class _Thread:
    """A thread that runs jobs, and waits for its turn in between."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    job: Callable[[], None] | None = None


class VirtualClock:
    """Time that passes when everybody sleeps. The same seed gives the same run, event by event."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._main = threading.Lock()
        self._main.acquire()
        self._idle: list[_Thread] = []
        self._current: _Thread | None = None
        self._error: BaseException | None = None

    @property
    def now(self) -> datetime:
        """The time of day."""
        return STARTED + timedelta(seconds=self.seconds)

    @property
    def service_now(self) -> datetime:
        """The time of day as AWS says it, in whole seconds."""
        return self.now.replace(microsecond=0)

    def monotonic(self) -> float:
        """Give seconds since the start; part of the port `Clock`."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass; part of the port `Clock`. Only a job may sleep."""
        thread = self._current
        if thread is None:
            raise RuntimeError("only a job may sleep")
        self.at(self.seconds + max(0.0, seconds), lambda: self._resume(thread))
        self._main.release()
        thread.turn.acquire()

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen later."""
        heapq.heappush(self._events, (seconds, next(self._number), act))

    def start(self, job: Callable[[], None]) -> None:
        """Start a job that may sleep, now."""
        self.at(self.seconds, lambda: self._begin(job))

    def run_until(self, seconds: float) -> None:
        """Let time pass until then."""
        while self._events and self._events[0][0] <= seconds:
            at, _, act = heapq.heappop(self._events)
            self.seconds = max(self.seconds, at)
            act()
            if self._error is not None:
                raise self._error
        self.seconds = max(self.seconds, seconds)

    def _begin(self, job: Callable[[], None]) -> None:
        if self._idle:
            thread = self._idle.pop()
        else:
            thread = _Thread()
            thread.turn.acquire()
            threading.Thread(target=self._serve, args=(thread,), daemon=True).start()
        thread.job = job
        self._resume(thread)

    def _resume(self, thread: _Thread) -> None:
        self._current = thread
        thread.turn.release()
        self._main.acquire()
        self._current = None

    def _serve(self, thread: _Thread) -> None:
        while True:
            thread.turn.acquire()
            try:
                if thread.job is not None:
                    thread.job()
            except BaseException as error:  # noqa: BLE001 - raised again where the clock is run
                self._error = error
            thread.job = None
            self._idle.append(thread)
            self._main.release()
