from token_refresh.bootstrap import SystemClock


def test_the_clock_goes_forward() -> None:
    """The stopwatch moves by at least what was slept, and the time of day is in milliseconds."""
    clock = SystemClock()
    before, before_ms = clock.monotonic(), clock.unix_ms()

    clock.sleep(0.002)

    assert clock.monotonic() - before >= 0.002
    assert 1 <= clock.unix_ms() - before_ms < 60_000
