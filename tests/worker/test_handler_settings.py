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


@pytest.mark.parametrize("proxy", ["http://user:pa/ss@host:1", "http://[bad:3128", "http://proxy:abc"])
def test_a_malformed_proxy_claims_and_sends_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """The run fails with the variable's name, and with a right value the next one does all the work."""
    stage.store()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as broken:
        broken.setenv("HTTPS_PROXY", proxy)
        broken.setenv("TOKEN_ENDPOINT", "https://provider.invalid/token")
        assert "HTTPS_PROXY is not the URL of an HTTP proxy" in str(stage.fail(ConfigurationError))
        assert {"GetSecretValue"} == {logged.call.operation for logged in stage.server.calls[1:]}
        # AWS's own calls go through the same proxy, and botocore would take it for an outage.
        broken.delenv("AWS_ENDPOINT_URL_SECRETS_MANAGER")
        assert "HTTPS_PROXY is not the URL of an HTTP proxy" in str(stage.fail(ConfigurationError))

    assert "refreshed" == stage.invoke()["outcome"]


def test_a_claim_outlives_the_function(stage: Stage) -> None:
    """How long a claim lives follows from how long the function may run."""
    stage.store()

    assert "refreshed" == stage.invoke({}, Context(seconds=120))["outcome"]
    assert 660 == stage.claim["ttl_seconds"]
