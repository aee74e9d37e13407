"""The hooks for four libraries after redirects and 401s: what the API did counts, not only tokens."""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx
import httpx2
import pytest
import requests

from reader.typescript import ENVIRONMENT, NODE, PACKAGE
from testbed.reader_surroundings import Api
from token_refresh.reader import TokenReader
from token_refresh.reader.httpx2_auth import TokenAuth as Httpx2Auth
from token_refresh.reader.httpx_auth import TokenAuth as HttpxAuth
from token_refresh.reader.requests_auth import TokenAuth as RequestsAuth

GROUP = "unmeasured"

BODY: Final = b"amount=10"
FAILED: Final = 0  # the client raised an error, as for a stream that a redirect wants again
SENT: Final = ("GET", "POST", "stream")
TLS: Final = httpx.create_ssl_context()
"""Which certificates are good: reading them takes longer than all else that a client does."""


@dataclass(kw_only=True)
class Shop(Api):
    """An API whose `/pay` leads to `/receipt`, there or on another host."""

    takes: set[str | None] = field(default_factory=set)
    """The tokens with which it pays."""
    shows: set[str | None] = field(default_factory=set)
    """The tokens with which it shows a receipt."""
    redirect: tuple[int, str] = (303, "")
    paid: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def respond(self, path: str, bearer: str | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Pay once for each request that it accepts."""
        self.seen.append({"path": path, "bearer": bearer, "body": body})
        if bearer not in (self.takes if path == "/pay" else self.shows):
            return 401, {}, b""
        if path != "/pay":
            return 200, {}, b""
        self.paid += 1
        status, location = self.redirect
        return status, {"Location": location}, b""


class Secret:
    """A client of Secrets Manager and Lambda that counts reads and runs of the worker."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.reads = self.runs = 0
        self.stored_at = time.time() - 900
        self.meta = SimpleNamespace(region_name="eu-central-1")

    def get_secret_value(self, **_: str) -> dict[str, Any]:
        token = self.tokens[min(self.reads, len(self.tokens) - 1)]
        self.reads += 1
        document = {"accessToken": token, "expiresAt": round((self.stored_at + 3600) * 1000)}
        created = datetime.fromtimestamp(self.stored_at, UTC)
        return {"SecretString": json.dumps(document), "VersionId": token, "CreatedDate": created}

    def invoke(self, **_: Any) -> dict[str, Any]:
        self.runs += 1
        return {"Payload": BytesIO(b'{"outcome": "refreshed"}')}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a service sends, and the tokens that are stored in turn."""

    url: str
    sent: str
    followed: bool
    tokens: tuple[str, ...]

    @property
    def method(self) -> str:
        return "GET" if self.sent == "GET" else "POST"

    @property
    def body(self) -> bytes | None:
        return None if self.sent == "GET" else BODY


Sender = Callable[[Request], tuple[int, int]]
"""Sends a request through a hook: the status that its caller gets, and how often the reader asked the store or the
worker."""


def reader_of(secret: Secret) -> TokenReader:
    client: Any = secret
    return TokenReader("tokens", client=client, background=False, refresh_function="worker", lambda_client=client)


def with_httpx(library: Any, auth_of: Any, request: Request) -> tuple[int, int]:
    secret = Secret(*request.tokens)
    content: Any = (part for part in [BODY]) if request.sent == "stream" else request.body
    with library.Client(auth=auth_of(reader_of(secret)), follow_redirects=request.followed, verify=TLS) as client:
        try:
            status = client.request(request.method, request.url, content=content).status_code
        except library.StreamConsumed:
            status = FAILED
    return status, secret.reads + secret.runs


def with_async_httpx(library: Any, auth_of: Any, request: Request) -> tuple[int, int]:
    secret = Secret(*request.tokens)

    async def stream() -> Any:
        yield BODY

    async def send() -> int:
        auth = auth_of(reader_of(secret))
        content = stream() if request.sent == "stream" else request.body
        async with library.AsyncClient(auth=auth, follow_redirects=request.followed, verify=TLS) as client:
            try:
                return int((await client.request(request.method, request.url, content=content)).status_code)
            except library.StreamConsumed:
                return FAILED

    return asyncio.run(send()), secret.reads + secret.runs


def with_requests(request: Request) -> tuple[int, int]:
    secret = Secret(*request.tokens)
    data: Any = (part for part in [BODY]) if request.sent == "stream" else request.body
    with requests.Session() as session:
        session.auth = RequestsAuth(reader_of(secret))
        follow = request.followed
        response = session.request(request.method, request.url, data=data, allow_redirects=follow, timeout=10)
    return response.status_code, secret.reads + secret.runs


@pytest.fixture(scope="module")
def fetch() -> Iterator[Sender]:
    """`TokenReader.fetch`, in one process of Node."""
    program = Path(__file__).with_name("fetching.mjs")
    types = ("--experimental-transform-types", "--no-warnings")
    command: list[str | Path] = [NODE, *types, program, PACKAGE / "src" / "index.ts"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as process:  # noqa: S603 - Node of .venv

        def send(request: Request) -> tuple[int, int]:
            asked = {
                "url": request.url,
                "method": request.method,
                "body": request.body and request.body.decode(),
                "streamed": request.sent == "stream",
                "followed": request.followed,
                "tokens": request.tokens,
            }
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
            return found["status"], found["reads"]

        yield send
        assert process.stdin
        process.stdin.close()


HOOKS: Final[dict[str, Sender]] = {
    "httpx": partial(with_httpx, httpx, HttpxAuth),
    "httpx, async": partial(with_async_httpx, httpx, HttpxAuth),
    "httpx2": partial(with_httpx, httpx2, Httpx2Auth),
    "httpx2, async": partial(with_async_httpx, httpx2, Httpx2Auth),
    "requests": with_requests,
}


@pytest.fixture(params=[*HOOKS, "fetch"])
def hook(request: pytest.FixtureRequest) -> tuple[str, Sender]:
    name = request.param
    return name, HOOKS[name] if name in HOOKS else request.getfixturevalue("fetch")


@pytest.fixture(scope="module")
def shops() -> Iterator[tuple[Shop, Shop]]:
    with Shop() as shop, Shop() as other:
        yield shop, other


@dataclass(frozen=True, kw_only=True)
class Payments:
    """How requests to `/pay` are redirected: to the shop's own receipt, or to one on another host."""

    shop: Shop
    other: Shop
    send: Sender
    name: str
    status: int
    elsewhere: bool

    def each(self, takes: set[str | None], shows: set[str | None]) -> Iterator[tuple[str, bool, bool, int, int]]:
        """Pay in every way: what was sent, whether a newer token is stored, redirects followed; status and reads."""
        host = self.other.url.replace("127.0.0.1", "localhost") if self.elsewhere else self.shop.url
        self.shop.redirect, self.shop.takes, self.shop.shows = (self.status, f"{host}/receipt"), takes, shows
        for sent, newer, followed in product(SENT, (True, False), (True, False)):
            self.shop.paid = 0
            self.shop.seen.clear()
            tokens = ("one", "two") if newer else ("one",)
            request = Request(url=f"{self.shop.url}/pay", sent=sent, followed=followed, tokens=tokens)
            yield sent, newer, followed, *self.send(request)
        assert not any(self.other.bearers)


@pytest.fixture(params=product([301, 302, 303, 307, 308], [False, True]), ids=str)
def payments(request: pytest.FixtureRequest, shops: tuple[Shop, Shop], hook: tuple[str, Sender]) -> Payments:
    (status, elsewhere), (name, send) = request.param, hook
    shops[1].seen.clear()
    return Payments(shop=shops[0], other=shops[1], send=send, name=name, status=status, elsewhere=elsewhere)


def test_an_accepted_request_is_never_sent_again(payments: Payments) -> None:
    """Who pays and then gets a 401 behind the redirect has paid once, and a foreign host's 401 asks for no token."""
    payments.other.shows = set()
    name, status = payments.name, payments.status
    for sent, newer, followed, got, asked in payments.each(takes={"one", "two"}, shows={"two"}):
        # requests sees each hop, and repeats the one that was rejected; the others see the last response alone.
        sees_hops = name == "requests" and followed and not payments.elsewhere
        # requests sends such a redirect an empty body. `fetch` follows a stream's 303 alone.
        wants_stream = sent == "stream" and (status in {307, 308} or (name == "fetch" and status != 303))
        after = 200 if sees_hops and newer and not wants_stream else 401
        expected = status if not followed else FAILED if wants_stream and name != "requests" else after

        assert (1, expected) == (payments.shop.paid, got), (sent, newer, followed)
        if not sees_hops:
            assert 1 == asked, (sent, newer, followed)


def test_a_rejected_request_is_repeated_once(payments: Payments) -> None:
    """Who gets the 401 at once pays with the newer token, follows the redirect from there, and pays once."""
    payments.other.shows = {None}
    for sent, newer, followed, got, _ in payments.each(takes={"two"}, shows={"two"}):
        repeated = newer and sent != "stream"
        body = b"" if sent == "GET" else BODY
        tries = [(seen["bearer"], seen["body"]) for seen in payments.shop.seen if seen["path"] == "/pay"]
        expected = 401 if not repeated else 200 if followed else payments.status

        assert expected == got, (sent, newer, followed)
        assert [(token, body) for token in (["one", "two"] if repeated else ["one"])] == tries, (sent, newer, followed)
        assert int(repeated) == payments.shop.paid, (sent, newer, followed)
