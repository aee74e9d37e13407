"""`examples/agent.py`, at a stand-in that speaks the documented protocol of the AWS Secrets Manager Agent.

It stands in for version 2 of the agent, as its README and its source (server.rs, parse.rs) have it. The agent itself is
a Rust program that is built from crates, and was not run here.
"""

import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from testbed.loopback import LoopbackHandler, LoopbackServer

EXAMPLES = Path(__file__).parents[2] / "examples"
NAME = "upwork-oauth-tokens-published"


class Agent(LoopbackServer):
    """Keeps what it has read of Secrets Manager, unless it is told to read now."""

    token = "made-up-ssrf-token"

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.stored = self.cached = ""
        self.reads = 0

    def store(self, token: str, *, lives_seconds: float = 3600) -> None:
        """Make another token current in Secrets Manager."""
        self.stored = json.dumps({"accessToken": token, "expiresAt": int((time.time() + lives_seconds) * 1000)})

    def read(self, *, now: bool) -> str:
        """Return what is cached, or read it."""
        if now or not self.cached:
            self.reads += 1
            self.cached = self.stored
        return self.cached


class _Handler(LoopbackHandler):
    server: Agent

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        """Check a request in the order of the agent, and respond as `GetSecretValue` does."""
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if self.headers.get("X-Aws-Parameters-Secrets-Token") != self.server.token:
            self.respond(403, b"Bad Token")
        elif asked.path != "/secretsmanager/get":
            self.respond(404, b"Not found")
        elif set(query) - {"secretId", "refreshNow"} or query.get("secretId") != NAME:
            self.respond(400, b"unknown parameter")
        else:
            value = self.server.read(now=query.get("refreshNow") == "true")
            self.respond(200, json.dumps({"Name": NAME, "SecretString": value}).encode())


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


@pytest.fixture
def example(agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example, set up as the agent's installation sets up a host, behind a proxy that nobody reaches."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "awssmatoken").write_text(f"{agent.token}\n")
    monkeypatch.syspath_prepend(EXAMPLES)
    # Again for each test: urllib looks for proxies when the module makes its opener.
    monkeypatch.delitem(sys.modules, "agent", raising=False)
    module = importlib.import_module("agent")
    monkeypatch.setattr(module, "AGENT", f"http://{agent.address}")
    monkeypatch.setattr(module, "AGENT_TOKEN_FILE", str(tmp_path / "awssmatoken"))
    return module


def test_the_agent_s_cache(agent: Agent, example: Any) -> None:
    """It takes what the agent has cached; no proxy is asked."""
    agent.store("first")
    assert "first" == example.access_token()
    agent.store("second")
    assert "first" == example.access_token()
    assert 1 == agent.reads


def test_a_rejected_token(agent: Agent, example: Any, caplog: pytest.LogCaptureFixture) -> None:
    """After a 401 the agent reads again, once, and the log says so; a real 401 reaches the caller."""
    sent = []

    def api(token: str) -> int:
        sent.append(token)
        return 200 if token == "second" else 401

    agent.store("first")
    assert 401 == example.call(api)
    agent.store("second")
    assert 200 == example.call(api)
    assert ["first", "first", "first", "second"] == sent
    assert "asking the agent to read upwork-oauth-tokens-published again" in caplog.text


def test_an_expired_token(agent: Agent, example: Any) -> None:
    """An expired token, or none after a revocation, is read again, and then it is an error that says what to run."""
    agent.store("first", lives_seconds=-1)
    with pytest.raises(RuntimeError, match="the token is expired: token-refresh status of the token secret says why"):
        example.access_token()
    agent.stored = '{"revokedAt": "2026-11-27T16:00:00Z", "sourceVersionId": "made-up"}'
    with pytest.raises(RuntimeError, match="there is no token, or its grant was revoked: token-refresh status"):
        example.access_token()
    agent.store("second")
    assert "second" == example.access_token()
    assert 4 == agent.reads
