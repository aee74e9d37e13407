from collections.abc import Iterator

import pytest

from testbed.reader_surroundings import Clock
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.setting import Setting


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer(clock=clock) as running:
        yield running


@pytest.fixture(autouse=True)
def _aws_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own AWS settings out."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
