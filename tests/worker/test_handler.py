"""The handler as Lambda calls it, on a real HTTP store and a real token endpoint."""

import json

import pytest

from testbed.provider import script
from token_refresh.errors import (
    ClientRejected,
    InternalError,
    InvalidEvent,
    ReauthorizationRequired,
    SecretNotFound,
)
from token_refresh_worker.run.run import Run
from worker.stage import DAY_MS, Stage


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


def test_no_context_is_no_obstacle(stage: Stage) -> None:
    """Called without Lambda's context, the handler has no request ID."""
    stage.store(expiresAt=stage.now_ms + DAY_MS)

    assert None is stage.invoke({}, None)["request_id"]
    assert "request_id" not in stage.last_line()


def test_no_context_gives_a_minute(stage: Stage) -> None:
    """Where nobody says how long the process may live, its claim outlives a minute."""
    stage.store()

    assert "refreshed" == stage.invoke({}, None)["outcome"]
    assert 600 == stage.claim["ttl_seconds"]


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


def test_a_run_that_yields_says_until_when(stage: Stage) -> None:
    """What the caller gets and the last line both say from when on a run may try again."""
    stage.store()
    for _ in range(2):
        stage.endpoint.play(script.error("invalid_client", http_status=401))
        stage.fail(ClientRejected)
        stage.server.clock_offset_seconds += 2  # The service tells the time in whole seconds.

    result = stage.invoke()

    assert ("yielded", "Z") == (result["outcome"], result["retry_at"][-1])
    assert result["retry_at"] == stage.last_line()["retry_at"]


def test_a_wrong_event_is_a_failed_run(stage: Stage) -> None:
    """An event that is not understood fails the run, names the configured secret, and asks nothing of AWS."""
    stage.fail(InvalidEvent, {"bogus": True})

    last = stage.last_line()
    expected = ("InvalidEvent", "on_demand", "upwork-oauth-tokens", 0)
    assert expected == tuple(last[name] for name in ("error_type", "trigger", "secret_id", "attempts"))
    assert [] == stage.server.calls


def test_a_missing_secret_says_where(stage: Stage) -> None:
    """A secret that isn't there is named with its region."""
    error = stage.fail(SecretNotFound)

    assert "secret upwork-oauth-tokens in eu-central-1 was not found" in str(error)
    assert (None, None) == (error.__cause__, error.__context__)


@pytest.mark.parametrize("setting", ["CLIENT_SECRET_ID", "PUBLISHED_SECRET_ID"])
def test_another_missing_secret_names_its_setting(stage: Stage, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """The message sends nobody to TOKEN_SECRET_ID where another variable is wrong."""
    monkeypatch.setenv(setting, "nobody")
    stage.store()

    error = stage.fail(SecretNotFound)

    assert f"secret nobody in eu-central-1 was not found (secretsmanager:GetSecretValue): check {setting}" in str(error)


def test_a_published_secret_is_kept(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PUBLISHED_SECRET_ID set, consumers' secret has the access token, and no refresh token."""
    monkeypatch.setenv("PUBLISHED_SECRET_ID", "published")
    stage.client.create_secret(Name="published")
    stage.store()

    stage.invoke()

    published = json.loads(stage.client.get_secret_value(SecretId="published")["SecretString"])
    assert ["accessToken", "expiresAt", "scope", "sourceVersionId", "tokenType"] == sorted(published)


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


def test_a_stored_expiry_in_iso_8601_stays_so(stage: Stage) -> None:
    """An older refresher's document is adopted as it is, spelling and all."""
    stage.store(expiresAt="2020-01-01T00:00:00Z", legacy={"kept": True})

    stage.invoke()

    stored = json.loads(stage.client.get_secret_value(SecretId="upwork-oauth-tokens")["SecretString"])
    assert (True, "Z") == (stored["legacy"]["kept"], stored["expiresAt"][-1])
