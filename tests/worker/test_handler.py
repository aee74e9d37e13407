"""The handler as Lambda calls it, on a real HTTP store and a real token endpoint."""

import json
import os
import subprocess
import sys
import time

import pytest

from testbed.provider import script
from token_refresh.errors import (
    ConfigurationError,
    InternalError,
    InvalidEvent,
    ReauthorizationRequired,
    SecretNotFound,
)
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.run.run import Run
from worker.handler_stage import DAY_MS, Context, Stage


def test_a_scheduled_run_refreshes(stage: Stage) -> None:
    """A scheduled event on a due secret ends in new tokens, a result and one last line."""
    stage.store()

    result = stage.invoke({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"})

    assert ("refreshed", "upwork-oauth-tokens", "r-1") == (result["outcome"], result["secret_id"], result["request_id"])
    lines = stage.lines()
    assert ["refresh_claimed", "tokens_staged", "tokens_promoted", "token_refresh_finished"] == [
        x["event"] for x in lines
    ]
    assert [("r-1", "upwork-oauth-tokens")] * 4 == [(x["request_id"], x["secret_id"]) for x in lines]
    assert ["info"] * 4 == [x["level"] for x in lines]
    last = lines[-1]
    assert stage.now_ms <= last["_aws"]["Timestamp"]
    assert ("refreshed", "schedule", 1, result["version_id"]) == (
        last["outcome"],
        last["trigger"],
        last["attempts"],
        last["version_id"],
    )
    assert 86_390 <= last["seconds_to_expiry"] <= 86_400
    stored = json.loads(stage.client.get_secret_value(SecretId="upwork-oauth-tokens")["SecretString"])
    assert stage.now_ms + DAY_MS - 2000 <= stored["expiresAt"] <= stage.now_ms + DAY_MS + 60_000
    assert 1 == stage.endpoint.grant.redemptions


def test_an_event_may_name_the_function_s_own_secret(stage: Stage) -> None:
    """The configured secret may be named by name or ARN; log and metric have the configured name either way."""
    stage.store(expiresAt=stage.now_ms + DAY_MS)
    arn = stage.client.describe_secret(SecretId="upwork-oauth-tokens")["ARN"]

    for secret_id in ("upwork-oauth-tokens", arn):
        result = stage.invoke({"secret_id": secret_id, "dry_run": True})

        assert ("fresh", "upwork-oauth-tokens") == (result["outcome"], result["secret_id"])
        last = stage.last_line()
        assert ("upwork-oauth-tokens", "on_demand") == (last["SecretId"], last["trigger"])


@pytest.mark.parametrize(
    "other", ["other", "upwork-oauth-tokens2", "arn:aws:secretsmanager:eu-central-1:1:secret:other"]
)
def test_an_event_can_not_name_another_secret(stage: Stage, other: str) -> None:
    """Endpoint, client and published secret are the function's, so another secret is refused before any call."""
    stage.store("other", expiresAt=stage.now_ms - DAY_MS)

    error = stage.fail(InvalidEvent, {"secret_id": other, "force": True})

    assert "TOKEN_SECRET_ID=upwork-oauth-tokens" in str(error)
    assert "upwork-oauth-tokens" == stage.last_line()["SecretId"]
    assert 0 == stage.endpoint.grant.redemptions
    assert [] == [c for c in stage.server.calls if c.call.operation == "GetSecretValue"]


def test_the_last_line_is_written_at_every_level(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metric doesn't depend on the log level."""
    monkeypatch.setenv("LOG_LEVEL", "CRITICAL")
    stage.store()

    stage.invoke()

    assert ["token_refresh_finished"] == [line["event"] for line in stage.lines()]


def test_a_failure_is_raised_and_logged_once(stage: Stage) -> None:
    """A dead grant is raised by name, with nothing chained to it, and has one last line with what is known."""
    stage.store()
    stage.endpoint.play(script.error("invalid_grant", description="canary"))

    error = stage.fail(ReauthorizationRequired)

    assert (None, None) == (error.__cause__, error.__context__)
    lines = stage.lines()
    assert 1 == sum(line["event"].startswith("token_refresh_f") for line in lines)
    last = lines[-1]
    assert ("token_refresh_failed", "error", "ReauthorizationRequired", 1, 1) == (
        last["event"],
        last["level"],
        last["error_type"],
        last["ReauthorizationRequired"],
        last["attempts"],
    )
    assert 3500 <= last["SecondsToExpiry"] <= 3601  # the service gives whole seconds
    assert "canary" not in json.dumps(lines)


def test_a_wrong_event_is_a_failed_run(stage: Stage) -> None:
    """An event that is not understood fails the run, names the configured secret, and asks nothing of AWS."""
    stage.fail(InvalidEvent, {"bogus": True})

    last = stage.last_line()
    expected = ("InvalidEvent", "on_demand", "upwork-oauth-tokens", 0)
    assert expected == tuple(last[name] for name in ("error_type", "trigger", "secret_id", "attempts"))
    assert [] == stage.server.calls


@pytest.mark.parametrize("setting", ["CLIENT_SECRET_ID", "PUBLISHED_SECRET_ID"])
def test_another_missing_secret_names_its_setting(stage: Stage, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """The message sends nobody to TOKEN_SECRET_ID where another variable is wrong."""
    monkeypatch.setenv(setting, "nobody")
    stage.store()

    error = stage.fail(SecretNotFound)

    assert f"secret nobody in eu-central-1 was not found (secretsmanager:GetSecretValue): check {setting}" in str(error)


def test_a_defect_is_named_without_its_data(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody expected is reported by its type and place; its text may hold anything."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("canary")

    monkeypatch.setattr(Run, "execute", broken)

    error = stage.fail(InternalError)

    assert "KeyError at test_handler.py:" in str(error)
    assert (None, None) == (error.__cause__, error.__context__)
    line = stage.last_line()
    assert "InternalError" == line["error_type"]
    assert "canary" not in json.dumps(line)


@pytest.mark.parametrize(("context", "lives_seconds"), [(None, 600), (Context(seconds=120), 660)])
def test_a_claim_outlives_the_function(stage: Stage, context: Context | None, lives_seconds: int) -> None:
    """How long a claim lives follows from how long the function may run: a minute, where nobody says it."""
    stage.store()

    assert "refreshed" == stage.invoke({}, context)["outcome"]
    assert lives_seconds == stage.claim["ttl_seconds"]


# Settings that the handler can't work with: each fails the run, and says what to change.


def test_a_wrong_setting_is_a_failed_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration is read at each invocation: a wrong one fails it, and a right one mends the next."""
    stage.store(expiresAt=stage.now_ms + DAY_MS)
    monkeypatch.setenv("REFRESH_WINDOW_SECONDS", "soon")
    stage.fail(ConfigurationError)

    monkeypatch.setenv("REFRESH_WINDOW_SECONDS", "3600")
    assert "fresh" == stage.invoke()["outcome"]


@pytest.mark.parametrize("proxy", ["http://user:pa/ss@host:1", "http://proxy:abc"])
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


@pytest.mark.parametrize("named", ["name", "ARN", "ARN without its suffix"])
def test_the_token_secret_is_never_its_own_published_copy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """The copy would replace the refresh token: every run refuses it by name, however the two are named."""
    stage.store()
    arn = stage.client.describe_secret(SecretId="upwork-oauth-tokens")["ARN"]
    ids = {"name": "upwork-oauth-tokens", "ARN": arn, "ARN without its suffix": arn[:-7]}
    monkeypatch.setenv("PUBLISHED_SECRET_ID", ids[named])

    for event in ({}, {"force": True}):
        error = str(stage.fail(ConfigurationError, event))
        assert "PUBLISHED_SECRET_ID" in error
        assert "names secret upwork-oauth-tokens in eu-central-1 itself" in error
    assert "PutSecretValue" not in {logged.call.operation for logged in stage.server.calls}
    assert not stage.endpoint.requests


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


@pytest.mark.parametrize("entry_point", ["refresh", "dispatch"])
def test_the_collector_is_off_during_a_cold_start_alone(entry_point: str) -> None:
    """Python's garbage collector is off until the first event has its result, even an error, and on from then."""
    code = f"""if True:
        import gc, token_refresh.errors, token_refresh_worker.handlers
        assert not gc.isenabled()
        try:
            token_refresh_worker.handlers.{entry_point}({{}}, None)
        except token_refresh.errors.TokenRefreshError:
            assert gc.isenabled()
            assert gc.get_freeze_count() > 10_000
        else:
            raise AssertionError("a run without settings has an error")
    """
    environment = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)  # noqa: S603 - ours
