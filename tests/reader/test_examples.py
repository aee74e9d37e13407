"""Each example does what it says, as its user would run it: real processes, a real store, an API on loopback."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
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


def test_lambda_handler(environment: dict[str, str], upwork: Upwork, running_store: Store) -> None:
    """The Lambda example goes on with a newer token after its token was rejected."""
    upwork.accepted = {"canary-1"}
    code = (
        "-c import json, lambda_handler as function\n"
        "print(json.dumps(function.handler({}, None)), flush=True)\n"
        "input()\n"
        "print(json.dumps(function.handler({}, None)))"
    )
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, *code.split(" ", 1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=EXAMPLES,
    ) as function:
        assert function.stdin is not None
        assert function.stdout is not None
        assert ME == json.loads(function.stdout.readline())
        running_store.put("canary-2", secret_id="upwork-oauth-tokens-published")
        upwork.accepted = {"canary-2"}
        function.stdin.write("\n")
        function.stdin.close()
        assert ME == json.loads(function.stdout.read())
    assert ["canary-1", "canary-1", "canary-2"] == upwork.bearers


def test_lambda_handler_follows_no_redirect(environment: dict[str, str], upwork: Upwork) -> None:
    """A redirect is an error: nobody else gets the token, and the query is sent once."""
    with Api() as other:
        upwork.redirects["/graphql"] = other.url.replace("127.0.0.1", "localhost")
        upwork.redirect_status = 303
        result = run("-c import lambda_handler; lambda_handler.handler({}, None)", environment)
    assert "HTTP Error 303" in result.stderr
    assert (["canary-1"], []) == (upwork.bearers, other.seen)


def test_fastapi_service(
    environment: dict[str, str], upwork: Upwork, running_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The FastAPI example passes on the response, says how the token is, and goes on with a newer one."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(EXAMPLES)
    create_app = importlib.import_module("fastapi_service").create_app

    async def main() -> None:
        app, transport = create_app(), httpx.ASGITransport
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport(app), base_url="http://me") as service,
        ):
            assert (await service.get("/health")).json()["seconds_to_expiry"] > 0  # before any other request
            assert {"data": ME} == (await service.get("/me")).json()
            running_store.put("canary-2", secret_id="upwork-oauth-tokens-published")
            upwork.accepted = {"canary-2"}
            assert {"data": ME} == (await service.get("/me")).json()

    upwork.accepted = {"canary-1"}
    asyncio.run(main())
