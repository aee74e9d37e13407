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


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        (
            "AWS_REGION",
            "not a region",
            "the AWS configuration can't be used (a region or an endpoint URL is",
        ),
        ("AWS_PROFILE", "nobody", "there is no AWS profile nobody"),
        ("AWS_REGION", None, "no AWS region is set. Set AWS_REGION"),
    ],
)
def test_an_aws_configuration_that_can_not_be_used(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, says: str
) -> None:
    """A missing region or profile is a wrong setting, with the variables to look at."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    if value is not None:
        monkeypatch.setenv(variable, value)

    assert says in str(stage.fail(ConfigurationError))
