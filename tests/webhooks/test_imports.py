"""What a receiver pays for its imports."""

import ast
import subprocess
import sys
from pathlib import Path

import token_refresh.webhooks

PURE_MODULES = ("about", "delivery", "headers", "schemes", "verify")
PURE = {"base64", "binascii", "collections", "dataclasses", "datetime", "hashlib", "hmac", "json", "re", "typing"}

# Everything that a Lambda function has loaded that talks to AWS at all.
BESIDE = "import boto3, botocore.session, json, logging"
# Generous: today there are two, `http` parts that boto3 doesn't load included.
OTHER_MODULES = 5


def loaded(*statements: str) -> set[str]:
    code = "\n".join((*statements, "import sys", "print(*sys.modules)"))
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return set(run.stdout.split())


def test_import_is_light() -> None:
    """Beside boto3, the package loads itself, the reader, and next to nothing: no vendor's library, no extra."""
    beside = loaded(BESIDE)
    added = loaded(BESIDE, "import token_refresh.webhooks") - beside
    others = {name for name in added if not name.startswith("token_refresh")}
    assert len(others) <= OTHER_MODULES, others
    foreign = {name.partition(".")[0] for name in others} - set(sys.stdlib_module_names)
    assert set() == foreign


def test_import_leaves_boto3_out() -> None:
    """Importing it loads no boto3: a service that verifies and never queues needs none for that."""
    assert set() == {"boto3", "botocore", "asyncio", "stripe", "slack_sdk"} & loaded("import token_refresh.webhooks")


def test_import_leaves_the_worker_out() -> None:
    """Of the worker it loads nothing but what the reader does."""
    ours = {name for name in loaded("import token_refresh.webhooks") if name.startswith("token_refresh")}
    reader = {name for name in loaded("import token_refresh.reader") if name.startswith("token_refresh")}
    assert set() == {name for name in ours - reader if not name.startswith("token_refresh.webhooks")}


def test_decisions_import_nothing_that_acts() -> None:
    """What decides about a signature is pure: no clock, no log, no I/O, no cache; `now` is an argument."""
    folder = Path(token_refresh.webhooks.__file__).parent
    found = {
        node.module or ""
        for name in PURE_MODULES
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text()))
        if isinstance(node, ast.ImportFrom)
    } | {
        alias.name
        for name in PURE_MODULES
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    allowed = {"collections.abc", "token_refresh.errors", "token_refresh.webhooks", "urllib.parse"} | {
        f"token_refresh.webhooks.{name}" for name in (*PURE_MODULES, "errors")
    }
    assert set() == found - PURE - allowed
