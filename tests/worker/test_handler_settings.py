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


def test_a_claim_outlives_the_function(stage: Stage) -> None:
    """How long a claim lives follows from how long the function may run."""
    stage.store()

    assert "refreshed" == stage.invoke({}, Context(seconds=120))["outcome"]
    assert 660 == stage.claim["ttl_seconds"]
