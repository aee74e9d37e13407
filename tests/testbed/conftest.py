from collections.abc import Iterator
from typing import Any

import pytest

from testbed.callers.secrets_manager import ONE_TRY
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


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


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """A single-use provider."""
    with TokenEndpoint() as endpoint:
        yield endpoint
