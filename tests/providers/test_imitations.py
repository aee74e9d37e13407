"""The whole worker against an imitation of each provider, over HTTP: refresh, dead grant, rate limit, lost response."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from providers.imitation import CLIENT_ID, CLIENT_SECRET, Imitation
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.bootstrap import SystemClock
from token_refresh.errors import ClientRejected, ReauthorizationRequired, RefreshOutcomeUnknown, TokenRefreshError
from token_refresh.handler import handler
from token_refresh.oauth.formats import Grant
from token_refresh.providers.loader import profile_names

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Context:
    """Lambda's context."""

    aws_request_id: str = "r-1"

    def get_remaining_time_in_millis(self) -> int:
        return 90_000


class Scene:
    """One provider, a secret with its tokens, and the deployed function."""

    def __init__(self, imitation: Imitation, server: SecretsManagerServer, capfd: pytest.CaptureFixture[str]) -> None:
        self.imitation = imitation
        self.provider = imitation.provider
        self._client = server.client()
        self._capfd = capfd
        first = imitation.first
        document = {
            "accessToken": first.access,
            "expiresAt": SystemClock().unix_ms() + 60_000,
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
            "provider": self.provider.name,
            "note": "kept",
        } | ({"refreshToken": first.refresh} if first.refresh else {})
        self._client.create_secret(Name="tokens", SecretString=json.dumps(document))

    def run(self, **event: Any) -> dict[str, Any]:
        return handler(event, Context())

    def fail(self, error: type[TokenRefreshError], **event: Any) -> TokenRefreshError:
        with pytest.raises(error) as caught:
            self.run(**event)
        assert [] == [secret for secret in self.imitation.secrets if secret in str(caught.value)]
        return caught.value

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._client.get_secret_value(SecretId="tokens")["SecretString"])
        return found

    def shown(self) -> str:
        """Everything that was logged."""
        captured = self._capfd.readouterr()
        return captured.out + captured.err


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Scene]:
    with Imitation(request.param) as imitation, SecretsManagerServer() as server:
        settings = {
            **server.environment,
            "TOKEN_SECRET_ID": "tokens",
            "PROVIDER": request.param,
            "TOKEN_ENDPOINT": imitation.url,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield Scene(imitation, server, capfd)


every_provider = pytest.mark.parametrize("scene", profile_names(), indirect=True)


@every_provider
def test_a_refresh(scene: Scene) -> None:
    """The documented request brings tokens; they are stored with the right lifetime, and every other key is kept."""
    before = SystemClock().unix_ms()

    result = scene.run()

    document, imitation = scene.document(), scene.imitation
    assert ("refreshed", [], 1) == (result["outcome"], imitation.faults, imitation.redemptions)
    assert document["accessToken"] != imitation.first.access
    assert document["accessToken"] in imitation.secrets
    assert imitation.newest_refresh_token == document.get("refreshToken")
    assert "kept" == document["note"]
    assert {} == {n: v for n in scene.provider.response.keep if (v := imitation.success["body"][n]) != document[n]}
    life_ms = document["expiresAt"] - before
    assert 0 < life_ms
    documented = scene.provider.access_token_lifetime
    if documented is not None:
        assert 0.6 < life_ms / (documented.total_seconds() * 1000) < 1.4
    assert [] == [secret for secret in imitation.secrets if secret in scene.shown()]
    assert "fresh" == scene.run()["outcome"]


@every_provider
def test_a_dead_grant(scene: Scene) -> None:
    """A dead grant is `ReauthorizationRequired` after one request, and the next run sends none."""
    scene.imitation.alive = False
    if scene.provider.request.grant is Grant.CLIENT_CREDENTIALS:
        scene.fail(ClientRejected)
        return

    scene.fail(ReauthorizationRequired)
    scene.fail(ReauthorizationRequired)

    assert (1, []) == (len(scene.imitation.statuses), scene.imitation.faults)
    assert [] == [secret for secret in scene.imitation.secrets if secret in scene.shown()]


@every_provider
def test_a_rate_limit(scene: Scene) -> None:
    """A provider that is busy is asked again within the run, and nothing is lost."""
    scene.imitation.play("busy")

    assert "refreshed" == scene.run()["outcome"]
    assert [429, scene.imitation.success["status"]] == scene.imitation.statuses


@every_provider
def test_a_lost_response(scene: Scene) -> None:
    """A lost response is asked for again where the provider's grace allows that, and only there."""
    scene.imitation.play("lost")

    if scene.provider.replay_grace:
        assert "refreshed" == scene.run()["outcome"]
        assert [None, scene.imitation.success["status"]] == scene.imitation.statuses
    else:
        scene.fail(RefreshOutcomeUnknown)
        scene.fail(RefreshOutcomeUnknown)
        assert [None] == scene.imitation.statuses
    assert [] == [secret for secret in scene.imitation.secrets if secret in scene.shown()]
