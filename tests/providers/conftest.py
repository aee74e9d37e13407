from collections.abc import Iterator
from datetime import timedelta

import pytest

from providers.imitation import Imitation
from providers.scene import Scene
from testbed.dynamodb.server import DynamoDbServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.providers.lifetime import lifetime_problem
from token_refresh_worker.stored.origin import ClaimStoreKind

CLAIM_TABLE = "claims"


@pytest.fixture(scope="session")
def services() -> Iterator[tuple[SecretsManagerServer, DynamoDbServer]]:
    """Where each test begins anew: a client is made once for all of them."""
    with SecretsManagerServer() as server, DynamoDbServer() as tables:
        yield server, tables


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    services: tuple[SecretsManagerServer, DynamoDbServer],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Scene]:
    """The provider that the test is parametrised with, or Upwork; with a claim table where its tokens need one."""
    server, tables = services
    server.secrets.restore(())
    server.calls.clear()
    tables.create_table(CLAIM_TABLE, key="secret_arn")
    monkeypatch.setattr(SystemClock, "sleep", lambda *_: None)
    with Imitation(getattr(request, "param", "upwork")) as imitation:
        scene = Scene(imitation, server, capfd)
        settings = dict(scene.settings(server)) | tables.environment
        lifetime = scene.provider.access_token_lifetime or timedelta(days=1)
        if lifetime_problem(lifetime, ClaimStoreKind.VERSIONS):
            settings["CLAIM_TABLE"] = CLAIM_TABLE
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield scene
