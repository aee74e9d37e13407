"""An application logs at DEBUG: what passes through `Grants`, a reader or a receiver is printed by no library."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import requests

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.parameter_store import ParameterStoreServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent
from token_refresh.reader import SecretReader, TokenReader, httpx2_auth, httpx_auth, requests_auth
from token_refresh.webhooks import STRIPE, Receiver, SqsQueue, Verifier
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.grants import ANYONE, Grants

CALLBACK = "https://app.example.com/callback"
SECRET = "customers/7/quickbooks"
WHO: Any = {"browser": "canary-cookie", "customer": "7"}


class Api(LoopbackHandler):
    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Moved(LoopbackHandler):
    """A token endpoint that moved: `Location` repeats the query."""

    def do_POST(self) -> None:  # noqa: N802 - the base class's name
        self.send_response(308)
        self.send_header("Location", f"https://new.example.com{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()


class Lines(logging.Handler):
    """All that a log file would have."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __str__(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def log() -> Iterator[Lines]:
    """Let the application log all that there is."""
    root, lines = logging.getLogger(), Lines()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(lines)
    yield lines
    root.removeHandler(lines)
    root.setLevel(before)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session")
        monkeypatch.setattr("token_refresh_admin.grants._PROVEN", set())
        yield store


def document(**keys: object) -> str:
    expires_at = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
    return json.dumps(
        {"accessToken": "canary-access", "refreshToken": "canary-refresh", "expiresAt": expires_at} | keys
    )


def test_grants(store: SecretsManagerServer, log: Lines) -> None:
    """Two consents, one of them failed, and a token response of the application's own."""
    client = store.client()
    with TokenEndpoint() as endpoint:
        credentials = {"clientId": endpoint.client_id, "clientSecret": endpoint.client_secret}
        client.create_secret(Name=SECRET)
        client.create_secret(Name="published")
        client.create_secret(Name="clients/quickbooks", SecretString=json.dumps(credentials))
        log.lines.clear()  # The client above is the application's own.
        settings = {"CLIENT_SECRET_ID": "clients/{provider}", "PUBLISHED_SECRET_ID": "published"}
        grants = Grants(CALLBACK, settings | {"TOKEN_ENDPOINT": endpoint.url})
        tokens = {"access_token": "canary-access", "refresh_token": "canary-refresh", "expires_in": 3600}
        endpoint.play(script.error("invalid_grant"), script.status(200, tokens))
        verifiers = []
        for fails in (True, False):
            begun = grants.begin(SECRET, provider="quickbooks", expect=ANYONE, **WHO)
            verifiers.append(str(begun.session["verifier"]))
            url = f"{CALLBACK}?state={begun.state}&code=canary-code&realmId=1"
            if fails:
                with pytest.raises(ChangeFailed):
                    grants.finish(begun.session, url, **WHO)
            else:
                assert grants.finish(begun.session, url, **WHO).published
        grants.store(SECRET, tokens, redirect={"realmId": "1"})

    said = str(log)
    assert {"botocore", "httpcore", "urllib3"} <= {line.split(".")[0] for line in log.lines}
    assert [] == [it for it in ("canary", endpoint.client_secret, *verifiers) if it in said]


def test_a_redirect_of_a_token_endpoint(store: SecretsManagerServer, log: Lines, tmp_path: Path) -> None:
    """A provider that wants the client's secret in the query, and sends it back as an address."""
    (tmp_path / "other.toml").write_text(
        'title = "Other"\ntoken_endpoint = "https://other.example.com"\nrotation = "never"\ngrace = "static"\n'
        '[request]\nencoding = "query"\n[authorization]\nendpoint = "https://other.example.com"\n'
        '[[evidence]]\nsays = "So"\nsource = "https://other.example.com"\non = 2026-11-25\n'
    )
    client = store.client()
    client.create_secret(Name=SECRET)
    client.create_secret(Name="client", SecretString='{"clientId": "id", "clientSecret": "canary-secret"}')
    log.lines.clear()
    with LoopbackServer(Moved) as moved:
        settings = {"CLIENT_SECRET_ID": "client", "TOKEN_ENDPOINT": f"http://{moved.address}"}
        grants = Grants(CALLBACK, settings | {"PROVIDER_PROFILES": str(tmp_path)})
        begun = grants.begin(SECRET, provider="other", expect=ANYONE, **WHO)
        with pytest.raises(ChangeFailed, match="HTTP 308"):
            grants.finish(begun.session, f"{CALLBACK}?state={begun.state}&code=canary-code", **WHO)

    assert "httpcore" in str(log)
    assert "canary" not in str(log)


@pytest.mark.parametrize("own_client", [False, True])
def test_readers(
    store: SecretsManagerServer, log: Lines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, own_client: bool
) -> None:
    """Reads from both stores, with a client of ours or the service's, and requests with a token."""
    client = store.client()
    client.create_secret(Name="tokens", SecretString=document())
    client.create_secret(Name="key", SecretString="canary-key")
    client.create_secret(Name="broken", SecretString="canary-broken")
    file = tmp_path / "key"
    file.write_text("canary-file")
    with ParameterStoreServer() as parameters, LoopbackServer(Api) as api:
        for name, value in parameters.environment.items():
            monkeypatch.setenv(name, value)
        parameters.put("/key", "canary-parameter")
        log.lines.clear()
        given: Any = {"client": client} if own_client else {}
        tokens = TokenReader("tokens", **given)
        assert "canary-access" == tokens.get()
        assert "canary-key" == SecretReader("key", **given).text()
        assert "canary-key" == asyncio.run(SecretReader("key", **given).atext())
        assert "canary-parameter" == SecretReader("ssm:/key").text()
        assert "canary-file" == SecretReader(f"file:{file}").text()
        with pytest.raises(Exception, match="broken"):
            TokenReader("broken", **given).get()
        url = f"http://{api.address}/"
        assert httpx.get(url, auth=httpx_auth.TokenAuth(tokens)).is_success
        assert httpx2.get(url, auth=httpx2_auth.TokenAuth(tokens)).is_success
        assert requests.get(url, auth=requests_auth.TokenAuth(tokens), timeout=30).ok

    assert {"botocore", "httpcore", "httpcore2", "httpx", "httpx2", "urllib3"} <= {
        line.split()[0].split(".")[0] for line in log.lines
    }
    assert "canary" not in str(log)


def test_a_receiver(store: SecretsManagerServer, log: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery from its signature to the queue, and a forged one."""
    store.client().create_secret(Name="signing", SecretString=SECRETS["stripe"])
    with SqsServer() as queue:
        for name, value in queue.environment.items():
            monkeypatch.setenv(name, value)
        log.lines.clear()
        verifier = Verifier(STRIPE, SecretReader("signing"))
        receiver = Receiver({"/webhooks/stripe": verifier}, deliver_to=SqsQueue(queue.queue_url))
        request = sent("stripe", b'{"id": "evt_1", "type": "canary"}', at=int(time.time()))
        for body, status in ((request.body, 200), (request.body + b" ", 401)):
            response = receiver.handle(http_v2("POST", "/webhooks/stripe", request.headers, body, encoded=True))
            assert status == response["statusCode"]

    said = str(log)
    assert "token_refresh.webhooks" in said
    assert SECRETS["stripe"] not in said
    assert [line for line in log.lines if "canary" in line and "token_refresh.webhooks" not in line] == []


def test_the_applications_own_calls_are_logged_as_before(store: SecretsManagerServer, log: Lines) -> None:
    """Its own clients' requests and responses stay in its log, also after ours, and so do all lines above DEBUG."""
    client = store.client()
    client.create_secret(Name="tokens", SecretString=document())
    TokenReader("tokens").get()
    log.lines.clear()

    client.get_secret_value(SecretId="tokens")
    logging.getLogger("botocore.parsers").warning("a warning")

    assert {"botocore.endpoint", "botocore.parsers"} <= {line.split()[0] for line in log.lines}
    assert "canary-access" in str(log)
    assert "botocore.parsers a warning" in log.lines
