"""What a receiver pays for its imports."""

import ast
import subprocess
import sys
from pathlib import Path

from token_refresh import webhooks

FOLDER = Path(webhooks.__file__).parent
PURE = [FOLDER / f"{name}.py" for name in ("about", "delivery", "headers", "scheme")]
PURE += (FOLDER / "senders").glob("*.py")
LIBRARIES = {"base64", "binascii", "collections", "dataclasses", "datetime", "hashlib", "hmac", "json", "re", "typing"}

# Everything that a Lambda function has loaded that talks to AWS at all.
BESIDE = "import boto3, botocore.session, json, logging"
RECEIVER = """
from token_refresh.reader import SecretReader
from token_refresh.webhooks import STRIPE, Receiver, SqsQueue, Verifier
Receiver({"/webhooks/stripe": Verifier(STRIPE, SecretReader("stripe"))}, deliver_to=SqsQueue("https://queue"))
"""
READER = """
    cache errors fetch lifecycle lifetimes pauses runtime secret secrets
    sources sources.choice sources.secrets_manager sources.service sources.source
"""
REST = """
    aws aws.arn aws.calls aws.causes aws.clients aws.errors aws.request aws.events aws.responses
    advice errors reader records reference secret_value webhooks
"""


def loaded(*statements: str) -> set[str]:
    code = "\n".join((*statements, "import sys", "print(*sys.modules)"))
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return set(run.stdout.split())


def test_receiver_loads_what_it_needs() -> None:
    """Beside boto3, a receiver loads the webhooks and that part of the reader which reads Secrets Manager."""
    added = loaded(BESIDE, RECEIVER) - loaded(BESIDE)
    assert set() == {name for name in added if not name.startswith("token_refresh")}
    ours = {name.removeprefix("token_refresh.") for name in added - {"token_refresh"}}
    expected = {*REST.split(), *(f"reader.{name}" for name in READER.split())}
    assert expected == {name for name in ours if not name.startswith("webhooks.")}


def test_import_alone_loads_neither_a_receiver_nor_a_reader_nor_a_queue() -> None:
    """Who verifies only, perhaps with secrets from elsewhere, pays for no name that is loaded on first use."""
    names = {name.removeprefix("token_refresh.") for name in loaded("import token_refresh.webhooks")}
    assert {"webhooks.verifier", "reader.secret"} <= names
    assert set() == names & {"webhooks.receiver", "webhooks.queues", "reader.secrets", "aws.causes", "stored"}


def test_import_leaves_boto3_out() -> None:
    """Importing it loads no boto3: a service that verifies and never queues needs none for that."""
    assert set() == {"boto3", "botocore", "asyncio", "stripe", "slack_sdk"} & loaded("import token_refresh.webhooks")


def test_decisions_import_nothing_that_acts() -> None:
    """What decides about a signature is pure: no clock, no log, no I/O, no cache; `now` is an argument."""
    nodes = [node for path in PURE for node in ast.walk(ast.parse(path.read_text()))]
    found = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    ours = {f"token_refresh.webhooks.{path.relative_to(FOLDER).with_suffix('').as_posix()}" for path in PURE}
    allowed = {"collections.abc", "urllib.parse", "token_refresh.errors", "token_refresh.webhooks.errors"}
    assert set() == found - LIBRARIES - allowed - {name.replace("/", ".") for name in ours}
