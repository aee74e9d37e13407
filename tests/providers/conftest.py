from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from providers.imitation import Imitation
from providers.scene import Scene
from testbed.dynamodb.server import DynamoDbServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.providers.lifetime import lifetime_problem
from token_refresh_worker.stored.origin import ClaimStoreKind

CLAIM_TABLE = "claims"


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Scene]:
    """The provider that the test is parametrised with, or Upwork; with a claim table where its tokens need one."""
    with ExitStack() as servers:
        imitation = servers.enter_context(Imitation(getattr(request, "param", "upwork")))
        server = servers.enter_context(SecretsManagerServer())
        scene = Scene(imitation, server, capfd)
        settings = dict(scene.settings(server))
        lifetime = scene.provider.access_token_lifetime or timedelta(days=1)
        if lifetime_problem(lifetime, ClaimStoreKind.VERSIONS):
            tables = servers.enter_context(DynamoDbServer())
            tables.create_table(CLAIM_TABLE, key="secret_arn")
            settings |= {"CLAIM_TABLE": CLAIM_TABLE, **tables.environment}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield scene
