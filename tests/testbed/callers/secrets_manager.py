"""Calls of a server that has one secret, `tokens`."""

from typing import Any

from botocore.config import Config

from testbed.secrets_manager.server import SecretsManagerServer

ONE_TRY = Config(retries={"total_max_attempts": 1})


def put(client: Any, number: int = 1) -> Any:
    return client.put_secret_value(SecretId="tokens", ClientRequestToken=str(number) * 32, SecretString="canary")


def stored(server: SecretsManagerServer, number: int = 1) -> bool:
    """Tell whether a version was stored, without a call that a fault could count."""
    secret = server.secrets.find("tokens")
    return secret is not None and secret.version(str(number) * 32) is not None
