import time

import pytest

from token_refresh_worker.bootstrap import SystemClock


def test_the_clock_goes_forward() -> None:
    """The stopwatch moves by at least what was slept."""
    clock = SystemClock()
    before = clock.monotonic()

    clock.sleep(0.002)

    assert clock.monotonic() - before >= 0.002


def test_the_clock_counts_the_time_in_which_the_machine_was_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that slept past a run's time limit must send nothing when it wakes up."""
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 3600.0, time.CLOCK_MONOTONIC: 1.0}.get)

    assert 3600.0 == SystemClock().monotonic()
