"""What a consumer pays for an import, each in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from testbed.reader_surroundings import Clock, Store
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh import reader, webhooks

HEAVY = ("boto3", "botocore", "asyncio", "httpx", "requests", "structlog", "tenacity", "typer", "rich")


@pytest.fixture
def running_store() -> Iterator[Store]:
    with SecretsManagerServer() as server:
        store = Store(server, Clock(time.time()))
        store.put("canary")
        store.put_text("value", secret_id="key")
        yield store


def imported(statement: str) -> set[str]:
    """Give the names of all modules that are loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return set(run.stdout.split())


def test_import_is_light() -> None:
    """Importing the reader and making one loads neither boto3, which the first read does, nor any extra."""
    names = imported("from token_refresh.reader import TokenReader\nTokenReader('tokens')")
    assert set() == names & set(HEAVY)


@pytest.mark.parametrize("package", [reader, webhooks])
def test_every_public_name_is_there(package: ModuleType) -> None:
    """All names can be imported from the package, those that are loaded on first use too, and no others."""
    assert set() == {name for name in package.__all__ if getattr(package, name) is None}
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        _ = package.nothing


def test_import_leaves_the_worker_out() -> None:
    """A consumer loads what is stored, what AWS says, the errors, classes of values, and nothing else of the worker."""
    names = {name for name in imported("from token_refresh.reader import *") if name.startswith("token_refresh.")}
    rooms = {name.split(".")[1] for name in names}
    assert {"advice", "aws", "errors", "reader", "records", "reference", "secret_value", "stored"} == rooms


@pytest.mark.parametrize(
    ("module", "extra", "other"), [("httpx_auth", "httpx", "requests"), ("requests_auth", "requests", "httpx")]
)
def test_auth_modules_load_their_own_client_only(module: str, extra: str, other: str) -> None:
    """Each auth module needs the one extra that it is named after."""
    names = imported(f"import token_refresh.reader.{module}")
    assert extra in names
    assert other not in names


def test_boto3_alone_is_enough(running_store: Store) -> None:
    """A consumer with nothing but boto3 installed reads a token, a secret and a group."""
    extras = ("httpx", "requests", "structlog", "tenacity", "typer", "rich", "pydantic")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({extras!r}))\n"
        "from token_refresh.reader import SecretGroup, SecretReader, TokenReader\n"
        "print(TokenReader('tokens').get(), SecretReader('key').text(), SecretGroup('key')['key'].text())"
    )
    environment = {**os.environ, **running_store.server.environment}
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - our own code
    assert "canary value value" == run.stdout.strip()
