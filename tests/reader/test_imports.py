"""What a consumer and a receiver pay for an import, each in a process of its own."""

import os
import subprocess
import sys
import time

import pytest

from testbed.reader_surroundings import Store, WallClock
from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"

EXTRAS = ("httpx", "httpx2", "requests")
HEAVY = ("boto3", "botocore", "asyncio", *EXTRAS, "structlog", "tenacity", "typer", "rich")


def imported(*statements: str) -> set[str]:
    """Return the names of all modules that are loaded after some statements."""
    code = "\n".join((*statements, "import sys", "print(*sys.modules)"))
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return set(run.stdout.split())


def test_import_is_light() -> None:
    """Importing all of the reader and making one loads neither boto3 nor any extra, and nothing of the worker."""
    names = imported("from token_refresh.reader import *\nTokenReader('tokens')")
    assert set() == names & set(HEAVY)
    rooms = {name.split(".")[1] for name in names if name.startswith("token_refresh.")}
    assert {"advice", "aws", "errors", "reader", "reference", "secret_value", "stored"} == rooms


@pytest.mark.parametrize("extra", EXTRAS)
def test_auth_modules_load_their_own_client_only(extra: str) -> None:
    """Each auth module needs the one extra that it is named after."""
    assert {extra} == imported(f"import token_refresh.reader.{extra}_auth") & set(EXTRAS)


def test_boto3_alone_is_enough() -> None:
    """A consumer with nothing but boto3 installed reads a token, a secret and a group."""
    extras = (*EXTRAS, "structlog", "tenacity", "typer", "rich", "pydantic")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({extras!r}))\n"
        "from token_refresh.reader import SecretGroup, SecretReader, TokenReader\n"
        "print(TokenReader('tokens').get(), SecretReader('key').text(), SecretGroup('key')['key'].text())"
    )
    with SecretsManagerServer() as server:
        store = Store(server, WallClock(time.time()))
        store.put("canary")
        store.put_text("value", secret_id="key")
        environment = {**os.environ, **server.environment}
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - our own code
    assert "canary value value" == run.stdout.strip()


# Everything that a Lambda function has loaded that talks to AWS at all.
BESIDE = "import boto3, botocore.session, json, logging"
RECEIVER = """
from token_refresh.reader import SecretReader
from token_refresh.webhooks import STRIPE, Receiver, SqsQueue, Verifier
Receiver({"/webhooks/stripe": Verifier(STRIPE, SecretReader("stripe"))}, deliver_to=SqsQueue("https://queue"))
"""
READER = """
    cache errors fetch lifetimes pauses runtime secret secrets
    sources sources.choice sources.secrets_manager sources.service sources.source
"""
REST = """
    aws aws.arn aws.calls aws.causes aws.clients aws.errors aws.request aws.responses
    advice errors reader reference secret_value stored stored.times webhooks
"""


def test_receiver_loads_what_it_needs() -> None:
    """Beside boto3, a receiver loads the webhooks and that part of the reader which reads Secrets Manager."""
    # The compiler loads `unicodedata` for a name of a character, where a module has no bytecode yet.
    added = imported(BESIDE, RECEIVER) - imported(BESIDE) - {"unicodedata"}
    assert set() == {name for name in added if not name.startswith("token_refresh")}
    ours = {name.removeprefix("token_refresh.") for name in added - {"token_refresh"}}
    expected = {*REST.split(), *(f"reader.{name}" for name in READER.split())}
    assert expected == {name for name in ours if not name.startswith("webhooks.")}


def test_import_alone_loads_neither_a_receiver_nor_a_reader_nor_a_queue() -> None:
    """Who verifies only, perhaps with secrets from elsewhere, pays for no name that is loaded on first use."""
    names = {name.removeprefix("token_refresh.") for name in imported("import token_refresh.webhooks")}
    assert set() == names & {*HEAVY, "stripe", "slack_sdk"}
    assert {"webhooks.verifier", "reader.secret"} <= names
    assert set() == names & {"webhooks.receiver", "webhooks.queues", "reader.secrets", "aws.causes", "stored"}
