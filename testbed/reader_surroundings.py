"""What the reader's tests pass in for time, threads and the API that a token is for."""

import json
import threading
from collections.abc import Callable
from typing import Any

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import Runtime

START = 1_800_000_000.0


class WallClock:
    """A wall clock that stands still until a test moves it."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Background:
    """Collects the work that a reader starts, for the test to do when it wants."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    def run(self) -> int:
        """Do all that waits; say how much that was."""
        count = len(self.waiting)
        while self.waiting:
            self.waiting.pop(0)()
        return count


def runtime(clock: WallClock, background: Callable[[Callable[[], None]], None] | None = None) -> Runtime:
    """Surroundings without chance: every backoff is three quarters of its length, every margin the whole one."""
    if background is None:
        return Runtime(clock=clock, chance=lambda: 0.5)
    return Runtime(clock=clock, spawn=background, chance=lambda: 0.5)


class Store:
    """A real HTTP store with one secret of tokens in it, by the test's clock."""

    def __init__(self, server: SecretsManagerServer, clock: WallClock) -> None:
        self.server = server
        self.clock = clock
        self.client = server.client()

    def put(self, value: str, *, lives_seconds: float = 3600, secret_id: str = "tokens") -> str:  # noqa: S107 - a name, no password
        """Store a token set as the worker does, and give its version ID."""
        document = {
            "accessToken": value,
            "refreshToken": f"refresh-{value}",
            "expiresAt": round((self.clock() + lives_seconds) * 1000),
        }
        return self.put_text(json.dumps(document), secret_id=secret_id)

    def put_text(self, text: str, *, secret_id: str = "tokens") -> str:  # noqa: S107 - a name, no password
        """Store any text."""
        if self.server.secrets.find(secret_id) is None:
            return str(self.client.create_secret(Name=secret_id, SecretString=text)["VersionId"])
        return str(self.client.put_secret_value(SecretId=secret_id, SecretString=text)["VersionId"])

    @property
    def reads(self) -> int:
        """Count the reads that arrived, with or without a response."""
        return sum("GetSecretValue" in logged.call.operation for logged in self.server.calls)


class Api(LoopbackServer):
    """An API that accepts some bearer tokens and rejects all others with 401."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.seen: list[dict[str, Any]] = []
        self.redirects: dict[str, str] = {}
        self.redirect_status = 307
        super().__init__(_ApiHandler)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def bearers(self) -> list[str | None]:
        """Return the tokens that came, in order; None for a request without one."""
        return [request["bearer"] for request in self.seen]

    @property
    def bodies(self) -> list[bytes]:
        return [request["body"] for request in self.seen]

    def respond(self, path: str, bearer: str | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Decide the response to a request: status, headers, body."""
        self.seen.append({"path": path, "bearer": bearer, "body": body})
        if path in self.redirects:
            return self.redirect_status, {"Location": self.redirects[path]}, b""
        if bearer not in self.accepted:
            return 401, {}, b"{}"
        return 200, {"Content-Type": "application/json"}, self.content(path, body)

    def content(self, path: str, body: bytes) -> bytes:
        """Return the body for an accepted request."""
        return json.dumps({"path": path, "length": len(body)}).encode()


class _ApiHandler(LoopbackHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        status, headers, content = self.server.respond(self.path, bearer, self.read_body())
        self.respond(status, content, headers)

    do_GET = do_POST  # noqa: N815 - likewise

    def read_body(self) -> bytes:
        """Read chunks, too."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return super().read_body()
        body = b""
        while size := int(self.read_line(), 16):
            body += self.rfile.read(size)
            self.read_line()
        self.read_line()
        return body

    def read_line(self) -> bytes:
        if line := self.rfile.readline():
            return line
        raise ConnectionAbortedError("the client left in the middle of its body")


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """Do `work` in so many threads that start together; give what each returned or raised."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work()
        except Exception as error:  # noqa: BLE001 - an error is a result here
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
