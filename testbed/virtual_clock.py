"""A virtual clock for code that knows nothing of it: greenlets of which one runs at a time, and sleep by events."""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from greenlet import getcurrent, greenlet

STARTED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class VirtualClock:
    """Time that passes when everybody sleeps. The same seed gives the same run, event by event."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()
        self._main = getcurrent()

    @property
    def now(self) -> datetime:
        """The time of day."""
        return STARTED + timedelta(seconds=self.seconds)

    @property
    def service_now(self) -> datetime:
        """The time of day as AWS says it, in whole seconds."""
        return self.now.replace(microsecond=0)

    def monotonic(self) -> float:
        """Return seconds since the start; part of the port `Clock`."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass; part of the port `Clock`. Only a job may sleep."""
        job = getcurrent()
        if job is self._main:
            raise RuntimeError("only a job may sleep")
        self.at(self.seconds + max(0.0, seconds), job.switch)
        self._main.switch()

    def sleep_in_job(self, seconds: float) -> None:
        """Let time pass in a job; whoever looks at the world from outside takes no time."""
        if getcurrent() is not self._main:
            self.sleep(seconds)

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen later."""
        heapq.heappush(self._events, (seconds, next(self._number), act))

    def start(self, job: Callable[[], None]) -> None:
        """Start a job that may sleep, now."""
        self.at(self.seconds, greenlet(job, self._main).switch)

    def run_until(self, seconds: float) -> None:
        """Let time pass until then."""
        while self._events and self._events[0][0] <= seconds:
            at, _, act = heapq.heappop(self._events)
            self.seconds = max(self.seconds, at)
            act()
        self.seconds = max(self.seconds, seconds)
