"""Time for the time limits of HTTP requests: none passes before what a test is about, however busy the machine is."""

import time

import pytest

from token_refresh_worker.adapters import time_limit
from token_refresh_worker.adapters.time_limit import TimeLimit


class Stopwatch:
    """Stands still until it is started."""

    def __init__(self) -> None:
        self._started_at: float | None = None

    def start(self) -> None:
        """Run from now on, unless it runs already."""
        if self._started_at is None:
            self._started_at = time.monotonic()

    def __call__(self) -> float:
        return 0.0 if self._started_at is None else time.monotonic() - self._started_at


def stand_still(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Take the clock of time limits away; the test starts it."""
    clock = Stopwatch()
    monkeypatch.setattr(time_limit, "_now", clock)
    return clock


def count_from_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a time limit begin when its request does: connecting takes no time."""
    clock, begin = stand_still(monkeypatch), TimeLimit.begin

    def begun(limit: TimeLimit) -> None:
        begin(limit)
        clock.start()

    monkeypatch.setattr(TimeLimit, "begin", begun)
