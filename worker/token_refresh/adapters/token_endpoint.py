"""The provider's token endpoint, over HTTP."""

import secrets
import socket
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock, Thread
from typing import Any, Final, Protocol

import httpx

from token_refresh import __version__
from token_refresh.errors import TokenRefreshError
from token_refresh.oauth.client_auth import encode_signature
from token_refresh.oauth.formats import RFC_6749_RESPONSE, Encoding, ResponseFormat
from token_refresh.oauth.request import TokenRequest
from token_refresh.oauth.response import BODY_LIMIT_BYTES, Failure, Kind, Response, read_response
from token_refresh.providers.endpoint import host_of, is_loopback

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # An encoded body can be a thousand times what arrives.
    "User-Agent": f"token-refresh-worker/{__version__}",  # Requests without one have met a challenge page.
}

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

_CONNECTED: Final = (".connect_tcp.complete", ".start_tls.complete")
"""The events of httpcore whose result is a connection; TLS makes a new one out of the first."""


class Signer(Protocol):
    """Signs client assertions with a key that never leaves its place."""

    def sign(self, message: bytes, algorithm: str) -> bytes:
        """Sign `message` with a JWS algorithm; raises `TokenRefreshError` where that fails."""
        ...


class HttpTokenEndpoint:
    """Sends one request at a time; implements the port `TokenEndpoint`."""

    def __init__(self, url: str, form: ResponseFormat = RFC_6749_RESPONSE, signer: Signer | None = None) -> None:
        self._url = url
        self._form = form
        self._signer = signer

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> Response:
        """Send `request` and read the response.

        The time limit holds end to end. The HTTP client's own limits don't: they count each read anew and leave out
        the name lookup. So a thread makes the exchange. At the limit it is abandoned and its connection is shut, so
        that it neither sends nor reads anything more, even if Lambda thaws it hours later.
        """
        exchange = _Exchange(self._url, request, self._form, self._signer, timeout_seconds)
        Thread(target=exchange.run, name="token-request", daemon=True).start()
        return exchange.wait()


class _Abandoned(Exception):  # noqa: N818 - nothing failed
    """Nobody waits for this exchange any more."""


class _Exchange:
    """One request and its response, and how far they came."""

    def __init__(
        self,
        url: str,
        request: TokenRequest,
        form: ResponseFormat,
        signer: Signer | None,
        timeout_seconds: float,
    ) -> None:
        self._url = url
        self._request = request
        self._form = form
        self._signer = signer
        self._timeout_seconds = timeout_seconds
        self._done: Future[Response] = Future()
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._begun = False
        """Whether the first byte may have left. From there on, silence proves nothing."""
        self._abandoned = False
        self._by_status: Response | None = None
        """What a 4xx proves by its status, whatever becomes of its body."""

    def wait(self) -> Response:
        """Wait for the response. At the time limit abandon the exchange, and return what is known by then."""
        try:
            return self._done.result(self._timeout_seconds)
        except TimeoutError as error:
            with self._lock:
                self._abandoned = True
                if self._socket is not None:
                    with suppress(OSError):
                        # The base class's method: TLS's own would let a reader continue in plain text.
                        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                return self._failure(error)

    def run(self) -> None:
        try:
            self._done.set_result(self._response())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._done.set_exception(error)

    def _response(self) -> Response:
        try:
            return self._exchange({**self._request.fields, **self._signed()})
        except TokenRefreshError as error:
            return Failure(kind=Kind.NOT_SENT, seen=str(error))
        except _NOT_SENT as error:
            return Failure(kind=Kind.NOT_SENT, seen=type(error).__name__)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._failure(error)

    def _failure(self, error: Exception) -> Response:
        kind = Kind.NO_RESPONSE if self._begun else Kind.NOT_SENT
        return self._by_status or Failure(kind=kind, seen=type(error).__name__)

    def _signed(self) -> Mapping[str, str]:
        """Return a new client assertion, for the method that needs one."""
        assertion = self._request.assertion
        if assertion is None or self._signer is None:
            return {}
        to_sign = assertion.to_sign(now=datetime.now(UTC), nonce=secrets.token_urlsafe(24))
        signature = self._signer.sign(to_sign.encode(), assertion.algorithm)
        return {"client_assertion": f"{to_sign}.{encode_signature(signature, assertion.algorithm)}"}

    def _exchange(self, fields: Mapping[str, str]) -> Response:
        request = self._request
        in_the = {Encoding.FORM: "data", Encoding.JSON: "json", Encoding.QUERY: "params"}[request.encoding]
        sent: dict[str, Any] = {in_the: dict(fields)}
        with (
            httpx.Client(
                headers=_HEADERS,
                timeout=self._timeout_seconds,
                follow_redirects=False,
                # A proxy from the environment would receive a loopback request in plain text.
                trust_env=not is_loopback(host_of(self._url)),
            ) as client,
            client.stream(
                request.method,
                self._url,
                headers=dict(request.headers),
                extensions={"trace": self._trace},
                **sent,
            ) as response,
        ):
            status, retry_after = response.status_code, _retry_after(response.headers)
            without_body = read_response(status, None, retry_after, self._form)
            if response.is_client_error:
                self._by_status = without_body
            if response.is_redirect or status in {429, 503}:
                return without_body
            return read_response(status, _read_body(response), retry_after, self._form)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Follow httpcore's events: keep the connection's socket, and note when the first byte may leave."""
        with self._lock:
            if event.endswith(_CONNECTED):
                self._socket = info["return_value"].get_extra_info("socket")
            if self._abandoned:
                if self._socket is not None:
                    self._socket.close()
                raise _Abandoned
            if ".send_request_" in event and event.endswith(".started"):
                self._begun = True


def _read_body(response: httpx.Response) -> bytes | None:
    """Read up to the limit; None where the body is encoded or larger."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            return None
    return bytes(body)


def _retry_after(headers: httpx.Headers) -> timedelta | None:
    """Read `Retry-After`, seconds or a date (RFC 9110 section 10.2.3); None where it says nothing usable."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:  # noqa: PLR2004 - years
        return timedelta(seconds=int(text))
    try:
        wait = parsedate_to_datetime(text) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return max(wait, timedelta(0))
