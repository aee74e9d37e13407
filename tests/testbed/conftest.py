from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"


@pytest.fixture
def server() -> Iterator[SecretsManagerServer]:
    """A Secrets Manager with one secret, `tokens`."""
    with SecretsManagerServer() as made:
        made.call("CreateSecret", {"Name": "tokens", "ClientRequestToken": "0" * 32, "SecretString": "canary"})
        yield made


@pytest.fixture
def client(server: SecretsManagerServer) -> Iterator[Any]:
    """A client that calls once."""
    made = server.client(config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64))
    yield made
    made.close()
