from collections.abc import Iterator
from typing import Any

import pytest

from callers.secrets_manager import ONE_TRY
from rig.secrets_manager import SecretsManagerServer


@pytest.fixture
def server() -> Iterator[SecretsManagerServer]:
    """A Secrets Manager with one secret, `tokens`."""
    with SecretsManagerServer() as made:
        made.call("CreateSecret", {"Name": "tokens", "ClientRequestToken": "0" * 32, "SecretString": "canary"})
        yield made


@pytest.fixture
def client(server: SecretsManagerServer) -> Iterator[Any]:
    made = server.client(config=ONE_TRY)
    yield made
    made.close()
