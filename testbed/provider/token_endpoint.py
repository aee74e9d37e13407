"""A token endpoint for tests: real HTTP on loopback, a real grant, and any misbehaviour by script.

with TokenEndpoint(reuse="revokes") as endpoint:
first = endpoint.grant.authorize()          # what the secret holds at first
endpoint.play(script.hold("after_commit"))  # the next request stops there
...                                         # start a worker against endpoint.url
endpoint.wait_until_held()                  # ... and kill it at exactly that point
endpoint.release()
assert [200] == [request.status for request in endpoint.requests]
"""

import base64
import contextlib
import secrets
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.provider import script as scripts
from testbed.provider.grant import IssuedTokens, Reuse
from testbed.provider.script import Script

_BY_THE_GRANT = scripts.Script()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request as the provider's log would keep it: never a value of it."""

    grant_type: str
    client_authentication: str
    """`client_secret_post`, `client_secret_basic`, `none`, or `several`, which RFC 6749 section 2.3 forbids."""
    status: int | None
    """The status of the response, or None where that was no HTTP response."""
    redeemed: bool
    """Whether a refresh token was exchanged."""
    user_agent: str


class TokenEndpoint(LoopbackServer):
    """Respond to token requests from the grant, or as scripted."""

    def __init__(self, *, reuse: Reuse = "revokes") -> None:
        """Describe the provider; `reuse` is what a refresh token that was redeemed is good for."""
        super().__init__(_Handler)
        self.grant = IssuedTokens(reuse=reuse)
        self.client_id = f"client-{secrets.token_hex(8)}"
        self.client_secret = f"client-secret-{secrets.token_urlsafe(24)}"
        self.requests: list[ReceivedRequest] = []
        """Every request that was read, in the order in which they ended."""
        self.connections = 0
        self.most_in_flight = 0
        self.closing = threading.Event()
        self._in_flight = 0
        self._scripts: deque[Script] = deque()
        self._lock = threading.Lock()
        self._held = threading.Semaphore(0)
        self._released = threading.Semaphore(0)

    @property
    def url(self) -> str:
        """What `TOKEN_ENDPOINT` is set to."""
        return f"http://{self.address}/token"

    def play(self, *to_play: Script) -> None:
        """Script the next requests, one each, in the order in which they connect."""
        with self._lock:
            self._scripts.extend(to_play)

    def unplay(self) -> None:
        """Forget the scripts that no request has met."""
        with self._lock:
            self._scripts.clear()

    def wait_until_held(self, timeout_seconds: float = 120) -> None:
        """Wait until a request has come to the point where its script holds it."""
        if not self._held.acquire(timeout=timeout_seconds):
            raise TimeoutError(f"no request was held within {timeout_seconds} s")

    def release(self) -> None:
        """Let one held request go on."""
        self._released.release()

    def server_close(self) -> None:
        """End what hangs or is held."""
        self.closing.set()
        self._released.release(1000)
        super().server_close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Script]:
        """Count a connection while it lasts, and give the script that it plays."""
        with self._lock:
            self.connections += 1
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            to_play = self._scripts.popleft() if self._scripts else _BY_THE_GRANT
        try:
            yield to_play
        finally:
            with self._lock:
                self._in_flight -= 1

    def hold(self) -> None:
        """Say that a request is held, and wait until it is released."""
        self._held.release()
        self._released.acquire()

    def token_set(self, *, lives_seconds: float) -> dict[str, Any]:
        """Begin a grant; return its document as an authorization stores it, with the client's credentials."""
        tokens = self.grant.authorize()
        return {
            "accessToken": tokens["access_token"],
            "refreshToken": tokens["refresh_token"],
            "expiresAt": round((time.time() + lives_seconds) * 1000),
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
        }

    def record(self, request: ReceivedRequest) -> None:
        """Keep what became of a request."""
        with self._lock:
            self.requests.append(request)


class _Handler(LoopbackHandler):
    server: TokenEndpoint

    def handle(self) -> None:
        """Play the script of this connection; a client that goes away ends it."""
        with self.server.connection() as self.script, contextlib.suppress(ConnectionError):
            if self.script.read:
                self.handle_one_request()

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        form = {name: values[0] for name, values in parse_qs(self.read_body().decode()).items()}
        if self.script.hold == "before_commit":
            self.server.hold()
        redeemed, response = self._response(form)
        self.server.record(
            ReceivedRequest(
                grant_type=form.get("grant_type", ""),
                client_authentication=self._client_authentication(form),
                status=int(response.split(b" ", 2)[1]) if response.startswith(b"HTTP/") else None,
                redeemed=redeemed,
                user_agent=self.headers.get("User-Agent", ""),
            )
        )
        if self.script.hold == "after_commit":
            self.server.hold()
        self._send(response)

    def _response(self, form: dict[str, str]) -> tuple[bool, bytes]:
        """Let the grant respond, or only redeem, or neither, as scripted."""
        if self.script.response is not None and not self.script.commit:
            return False, self.script.response
        redeemed, by_grant = self._ask_grant(form)
        if self.script.response is not None:
            return redeemed, self.script.response
        assert by_grant.response is not None
        return redeemed, by_grant.response

    def _ask_grant(self, form: dict[str, str]) -> tuple[bool, Script]:
        """Respond as RFC 6749 says: authenticate the client (2.3), then redeem (6), or say why not (5.2)."""
        if self._client_authentication(form) == "several":
            return False, scripts.error("invalid_request")
        if self._credentials(form) != (self.server.client_id, self.server.client_secret):
            return False, scripts.error("invalid_client", http_status=401)
        if form.get("grant_type") != "refresh_token":
            return False, scripts.error("unsupported_grant_type")
        response = self.server.grant.redeem(form.get("refresh_token", ""))
        if response is None:
            return False, scripts.error("invalid_grant")
        return True, scripts.status(200, response, headers={"Cache-Control": "no-store"})

    def _client_authentication(self, form: dict[str, str]) -> str:
        in_body, in_header = "client_secret" in form, "Authorization" in self.headers
        if in_body and in_header:
            return "several"
        return "client_secret_post" if in_body else "client_secret_basic" if in_header else "none"

    def _credentials(self, form: dict[str, str]) -> tuple[str, str]:
        """Read the client's identifier and secret; in a Basic header each is form-encoded first (section 2.3.1)."""
        if "Authorization" not in self.headers:
            return form.get("client_id", ""), form.get("client_secret", "")
        user, _, password = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).partition(b":")
        return unquote_plus(user.decode()), unquote_plus(password.decode())

    def _send(self, response: bytes) -> None:
        if self.script.drip_seconds is None:
            self.wfile.write(response)
        else:
            for byte in response:
                self.wfile.write(bytes([byte]))
                if self.server.closing.wait(self.script.drip_seconds):
                    return
        if self.script.hang:
            # A token request has nothing more to say, so what can be read from here on is that the client closed.
            while not self.server.closing.is_set() and not select.select([self.connection], [], [], 0.05)[0]:
                pass
