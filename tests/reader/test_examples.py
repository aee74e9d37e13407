"""Examples as their users run them: real processes, a real store, an API on loopback. `examples/` has their tests."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.reader_surroundings import Api, Store, WallClock
from testbed.secrets_manager.server import SecretsManagerServer

EXAMPLES = Path(__file__).parents[2] / "examples"
ME = {"user": {"id": "1", "nid": "~1", "rid": "2"}, "organization": {"id": "3"}}


class Upwork(Api):
    """Responds to the query of the examples."""

    def content(self, path: str, body: bytes) -> bytes:
        assert "/graphql" == path
        assert "query { user" in json.loads(body)["query"]
        return json.dumps({"data": ME}).encode()


@pytest.fixture
def upwork() -> Iterator[Upwork]:
    with Upwork() as running:
        yield running


@pytest.fixture
def running_store() -> Iterator[Store]:
    """A store by the machine's clock, since examples in processes of their own look at that."""
    with SecretsManagerServer() as server:
        store = Store(server, WallClock(time.time()))
        store.put("canary-1", secret_id="upwork-oauth-tokens-published")
        yield store


@pytest.fixture
def environment(running_store: Store, upwork: Upwork) -> dict[str, str]:
    return {**os.environ, **running_store.server.environment, "UPWORK_API": upwork.url}


def run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, *code.split(" ", 1)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=EXAMPLES,
    )


def test_upwork_graphql(environment: dict[str, str], upwork: Upwork) -> None:
    """The GraphQL example prints who we are."""
    upwork.accepted = {"canary-1"}
    result = run("upwork_graphql.py", environment)
    assert (f"{ME}\n", "") == (result.stdout, result.stderr)


def test_lambda_handler_follows_no_redirect(environment: dict[str, str], upwork: Upwork) -> None:
    """A redirect is an error: nobody else gets the token, and the query is sent once."""
    with Api() as other:
        upwork.redirects["/graphql"] = other.url.replace("127.0.0.1", "localhost")
        upwork.redirect_status = 303
        result = run("-c import lambda_handler; lambda_handler.handler({}, None)", environment)
    assert "HTTP Error 303" in result.stderr
    assert (["canary-1"], []) == (upwork.bearers, other.seen)
