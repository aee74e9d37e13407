"""The handler as Lambda calls it, on a real HTTP store and a real token endpoint."""

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rig import script
from rig.secrets_manager import SecretsManagerServer
from rig.token_endpoint import TokenEndpoint
from token_refresh.bootstrap import SystemClock
from token_refresh.errors import (
    ConfigurationError,
    InternalError,
    InvalidEvent,
    InvalidSecretDocument,
    ReauthorizationRequired,
    SecretNotFound,
    TokenRefreshError,
)
from token_refresh.handler import handler
from token_refresh.refresh import Run

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Context:
    aws_request_id: str = "r-1"
    seconds: float = 90.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Stage:
    """A store and a provider, and the handler between them."""

    def __init__(
        self, server: SecretsManagerServer, endpoint: TokenEndpoint, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.server = server
        self.endpoint = endpoint
        self._capsys = capsys
        self.client = server.client()
        self.now_ms = SystemClock().unix_ms()

    def store(self, name: str = "upwork-oauth-tokens", **changes: Any) -> None:
        first = self.endpoint.grant.authorize()
        document = {
            "accessToken": first["access_token"],
            "refreshToken": first["refresh_token"],
            "expiresAt": self.now_ms + 3_600_000,
            "clientId": self.endpoint.client_id,
            "clientSecret": self.endpoint.client_secret,
        } | changes
        self.client.create_secret(
            Name=name, SecretString=json.dumps({k: v for k, v in document.items() if v is not None})
        )

    def invoke(self, event: object = None, context: object = Context()) -> dict[str, Any]:
        return handler({} if event is None else event, context)

    def fail(
        self, error: type[TokenRefreshError], event: object = None, context: object = Context()
    ) -> TokenRefreshError:
        with pytest.raises(error) as caught:
            self.invoke(event, context)
        return caught.value

    def lines(self) -> list[dict[str, Any]]:
        captured = self._capsys.readouterr()
        assert "" == captured.err
        return [json.loads(line) for line in captured.out.splitlines()]

    def last_line(self) -> dict[str, Any]:
        return self.lines()[-1]


@pytest.fixture
def stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    with SecretsManagerServer() as server, TokenEndpoint(reuse="grace") as endpoint:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TOKEN_ENDPOINT", endpoint.url)
        yield Stage(server, endpoint, capsys)
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)


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
    last = lines[-1]
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


def test_an_on_demand_run_names_its_secret(stage: Stage) -> None:
    """The event's secret_id is used instead of the configured one, in the log and the metric, too."""
    stage.store("other", expiresAt=stage.now_ms + DAY_MS)

    result = stage.invoke({"secret_id": "other", "dry_run": True})

    assert ("fresh", "other") == (result["outcome"], result["secret_id"])
    last = stage.last_line()
    assert ("other", "other", "on_demand") == (last["secret_id"], last["SecretId"], last["trigger"])


def test_no_context_is_no_obstacle(stage: Stage) -> None:
    """Run by hand, without Lambda's context, the handler has a minute and no request ID."""
    stage.store(expiresAt=stage.now_ms + DAY_MS)

    assert None is stage.invoke({}, None)["request_id"]
    assert "request_id" not in stage.last_line()


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
    assert 3500 <= last["SecondsToExpiry"] <= 3600
    assert "canary" not in json.dumps(lines)


def test_a_wrong_event_is_a_failed_run(stage: Stage) -> None:
    """An event that is not understood fails the run, names the configured secret, and asks nothing of AWS."""
    stage.fail(InvalidEvent, {"bogus": True})

    last = stage.last_line()
    assert ("InvalidEvent", "upwork-oauth-tokens", 0) == (last["error_type"], last["secret_id"], last["attempts"])
    assert [] == stage.server.calls


def test_a_wrong_setting_is_a_failed_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration is read at each invocation: a wrong one fails it, and a right one mends the next."""
    stage.store(expiresAt=stage.now_ms + DAY_MS)
    monkeypatch.setenv("REFRESH_WINDOW_SECONDS", "soon")
    stage.fail(ConfigurationError)

    monkeypatch.setenv("REFRESH_WINDOW_SECONDS", "3600")
    assert "fresh" == stage.invoke()["outcome"]


def test_a_claim_that_the_function_outlives_is_refused(stage: Stage) -> None:
    """A function that may run longer than its claim lives is told so before it does anything."""
    error = stage.fail(ConfigurationError, {}, Context(seconds=120))

    assert "CLAIM_TTL_SECONDS is 120 and must exceed the function's timeout" in str(error)


def test_a_missing_secret_says_where(stage: Stage) -> None:
    """A secret that isn't there is named with its region."""
    error = stage.fail(SecretNotFound)

    assert "secret upwork-oauth-tokens in eu-central-1 was not found" in str(error)
    assert (None, None) == (error.__cause__, error.__context__)


@pytest.mark.parametrize(
    ("variable", "value"), [("AWS_REGION", "not a region"), ("AWS_PROFILE", "nobody"), ("AWS_REGION", None)]
)
def test_an_aws_configuration_that_can_not_be_used(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None
) -> None:
    """A missing region or profile is a wrong setting, with the variables to look at."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    if value is not None:
        monkeypatch.setenv(variable, value)

    assert "set AWS_REGION, and check AWS_PROFILE" in str(stage.fail(ConfigurationError))


def test_client_credentials_are_read_from_their_own_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLIENT_SECRET_ID comes first, and is read afresh at each redemption: a new client secret needs no restart."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "client")
    stage.store(clientSecret="stale")
    right = json.dumps({"client_id": stage.endpoint.client_id, "client_secret": stage.endpoint.client_secret})
    stage.client.create_secret(Name="client", SecretString=right)

    assert ["refreshed", "refreshed"] == [stage.invoke({"force": True})["outcome"] for _ in range(2)]
    read = [c for c in stage.server.calls if c.call.secret_id == "client" and c.call.operation == "GetSecretValue"]
    assert 2 == len(read)


@pytest.mark.parametrize("stored", ["{}", None, '{"clientSecret": "canary"}'])
def test_a_client_secret_without_an_identifier_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: str | None
) -> None:
    """A client secret that is empty or has no identifier says what it must hold, with nothing claimed."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "client")
    stage.store()
    stage.client.create_secret(Name="client", **({"SecretString": stored} if stored else {}))

    error = stage.fail(InvalidSecretDocument)

    assert "secret client (CLIENT_SECRET_ID) has no clientId" in str(error)
    assert "PutSecretValue" not in [c.call.operation for c in stage.server.calls]


def test_client_credentials_in_the_environment_come_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any in the secrets, the environment's client credentials are used."""
    monkeypatch.setenv("UPWORK_CLIENT_ID", stage.endpoint.client_id)
    monkeypatch.setenv("UPWORK_CLIENT_SECRET", stage.endpoint.client_secret)
    stage.store(clientId=None, clientSecret=None)

    assert "refreshed" == stage.invoke()["outcome"]


def test_client_credentials_that_are_nowhere_name_the_three_places(stage: Stage) -> None:
    """Without client credentials the error names all places where they may be."""
    stage.store(clientId=None, clientSecret=None)

    error = str(stage.fail(ConfigurationError))

    for place in ("CLIENT_SECRET_ID", "clientId and clientSecret in the token secret", "UPWORK_CLIENT_ID"):
        assert place in error


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
