import logging
import warnings
from collections.abc import Iterator

import pytest

from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from worker.stage import Stage


@pytest.fixture
def stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    with SecretsManagerServer() as server, TokenEndpoint(reuse="grace") as endpoint:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PROVIDER", "upwork")
        monkeypatch.setenv("TOKEN_ENDPOINT", endpoint.url)
        yield Stage(server, endpoint, capsys)
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)
