"""The way back from a bad state: one secret with a live grant, and an operator who only reads the messages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.scene import Ended
from cli.shell import Shell, commands_in
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import TokenReader

SECRET = "shop/prod/upwork"
REGION = "eu-central-1"
STATUS = f"token-refresh status {SECRET} --region {REGION}"


class Scene:
    """One secret with a live grant, and the operator's shell."""

    def __init__(self, store: SecretsManagerServer, provider: AuthorizationServer, shell: Shell) -> None:
        self.store = store
        self.provider = provider
        self.shell = shell
        self.client: Any = store.client()

    def document(self, *, hours: int = 20) -> dict[str, Any]:
        tokens = self.provider.authorize()
        client_id, client_secret = self.provider.client()
        expires_at = datetime.now(UTC) + timedelta(hours=hours)
        return {
            "accessToken": tokens["access_token"],
            "refreshToken": tokens["refresh_token"],
            "expiresAt": int(expires_at.timestamp() * 1000),
            "clientId": client_id,
            "clientSecret": client_secret,
        }

    def create(self, *, hours: int = 20) -> None:
        self.client.create_secret(Name=SECRET, SecretString=json.dumps(self.document(hours=hours)))

    def follow(self, ended: Ended, wanted: str, **words: str) -> Ended:
        """Run the first command of a message that does what is wanted; `words` stand for its words in capitals."""
        line = next(line for line in commands_in(ended) if line.startswith(f"token-refresh {wanted}"))
        for word, meant in words.items():
            line = line.replace(word, meant)
        assert SECRET in line
        assert "--region" in line
        followed = self.shell.run(line)
        assert 0 == followed.code, followed.screen
        return followed

    def is_healthy(self, line: str = STATUS) -> bool:
        """Whether `status` says so, and a service that reads the token is let in by the API."""
        ended = self.shell.run(line)
        said = (0, True) == (ended.code, "HEALTHY" in ended.out)
        return said and self.provider.api_status(TokenReader(SECRET, client=self.client, background=False).get()) == 200
