"""Settings that the handler can't work with: each fails the run, and says what to change."""

import pytest

from token_refresh.errors import ConfigurationError
from worker.stage import DAY_MS, Context, Stage


def test_a_wrong_setting_is_a_failed_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration is read at each invocation: a wrong one fails it, and a right one mends the next."""
    stage.store(expiresAt=stage.now_ms + DAY_MS)
    monkeypatch.setenv("REFRESH_WINDOW_SECONDS", "soon")
    stage.fail(ConfigurationError)

    monkeypatch.setenv("REFRESH_WINDOW_SECONDS", "3600")
    assert "fresh" == stage.invoke()["outcome"]


def test_a_claim_that_the_function_outlives_is_refused(stage: Stage) -> None:
    """A function that may run longer than its claim lives is an error before it does anything."""
    error = stage.fail(ConfigurationError, {}, Context(seconds=120))

    assert "CLAIM_TTL_SECONDS is 120 and must exceed the function's timeout" in str(error)
