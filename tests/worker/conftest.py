from collections.abc import Iterator

import pytest

from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from worker.handler_between import Ground
from worker.handler_stage import Stage


@pytest.fixture(scope="session")
def server() -> Iterator[SecretsManagerServer]:
    """Where each test begins anew: a client is made once for all of them."""
    with SecretsManagerServer() as server:
        yield server


@pytest.fixture
def stage(
    server: SecretsManagerServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    server.secrets.restore(())
    server.calls.clear()
    server.faults.clear()
    server.clock_offset_seconds = 0.0
    with TokenEndpoint(reuse="grace") as endpoint:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PROVIDER", "upwork")
        monkeypatch.setenv("TOKEN_ENDPOINT", endpoint.url)
        yield Stage(server, endpoint, capsys)


@pytest.fixture(scope="module")
def versions() -> Iterator[Ground]:
    with Ground() as ground:
        yield ground


@pytest.fixture(scope="module")
def table() -> Iterator[Ground]:
    with Ground(table=True) as ground:
        yield ground
