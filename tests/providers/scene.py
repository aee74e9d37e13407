"""A provider, a secret with its tokens, and the deployed function."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from providers.imitation import CLIENT_ID, CLIENT_SECRET, Imitation
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.worker import LambdaContext
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.handlers import refresh

TOKENS = "tokens"


class Scene:
    """One imitated provider, and the function that refreshes its tokens."""

    def __init__(self, imitation: Imitation, server: SecretsManagerServer, capfd: pytest.CaptureFixture[str]) -> None:
        self.imitation = imitation
        self.provider = imitation.provider
        self.client = server.client()
        self._capfd = capfd

    def settings(self, server: SecretsManagerServer) -> Mapping[str, str]:
        return {
            **server.environment,
            "TOKEN_SECRET_ID": TOKENS,
            "PROVIDER": self.provider.name,
            "TOKEN_ENDPOINT": self.imitation.url,
        }

    def store(self, **changes: Any) -> None:
        """Store a due token set; a key whose value is None is left out."""
        first = self.imitation.first
        document = {
            "accessToken": first.access,
            "refreshToken": first.refresh,
            "expiresAt": time.time_ns() // 1_000_000 + 60_000,
            "clientId": CLIENT_ID,
            "clientSecret": CLIENT_SECRET,
            "provider": self.provider.name,
            "note": "kept",
        } | changes
        known = {name: value for name, value in document.items() if value is not None}
        self.client.create_secret(Name=TOKENS, SecretString=json.dumps(known))

    def run(self, **event: Any) -> dict[str, Any]:
        """Invoke the function; an error also says how a request differed from the documented one."""
        try:
            return refresh(event, LambdaContext("r-1", 90.0))
        except TokenRefreshError as error:
            if self.imitation.faults:
                error.add_note(f"{self.provider.name}.success.json documents another request: {self.imitation.faults}")
            raise

    def fail(self, error: type[TokenRefreshError], **event: Any) -> TokenRefreshError:
        with pytest.raises(error) as caught:
            self.run(**event)
        assert [] == [secret for secret in self.imitation.secrets if secret in str(caught.value)]
        return caught.value

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.get_secret_value(SecretId=TOKENS)["SecretString"])
        return found

    def leaked(self) -> list[str]:
        """Every secret that was logged so far."""
        captured = self._capfd.readouterr()
        return [secret for secret in self.imitation.secrets if secret in captured.out + captured.err]
