"""What the handler's tests share: Lambda's context, and the handler between a store and a provider."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.handlers import refresh

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
        self.now_ms = time.time_ns() // 1_000_000

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
        return refresh({} if event is None else event, context)

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

    @property
    def claim(self) -> dict[str, Any]:
        """The newest claim on the default secret."""
        found = self.client.get_secret_value(SecretId="upwork-oauth-tokens", VersionStage="REFRESH_CLAIM")
        claim: dict[str, Any] = json.loads(found["SecretString"])
        return claim

    def last_line(self) -> dict[str, Any]:
        return self.lines()[-1]
