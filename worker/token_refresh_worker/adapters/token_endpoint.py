"""The provider's token endpoint, over HTTP."""

import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from threading import Thread
from typing import Any, Final, Generic, TypeAlias, TypeVar

import httpcore
import httpx

from token_refresh import __version__
from token_refresh.errors import ConfigurationError
from token_refresh_worker.adapters.client_assertion import MakeAssertion, SigningError
from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.adapters.time_limit import LimitedTransport, TimeLimit
from token_refresh_worker.oauth.body import read_object
from token_refresh_worker.oauth.formats import RFC_6749_RESPONSE, Encoding, ResponseFormat
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import (
    BODY_LIMIT_BYTES,
    EndpointResponse,
    FailedRequest,
    FailureKind,
    read_response,
)
from token_refresh_worker.oauth.revocation import Revoked, read_revocation

HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # An encoded body can be a thousand times what arrives.
    "Connection": "close",
    "User-Agent": f"token-refresh-worker/{__version__}",  # Requests without one have met a challenge page.
}

SPARE_SECONDS: Final = 1.0
"""How long a request that was sent may outlast its time limit, while it reads what has arrived."""

_ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
_COMPRESSED: Final = frozenset({"compress", "x-compress", "br", "zstd", "dcb", "dcz"})
NOT_SENT: Final = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
)
SENT: Final = (httpcore.ReadError, httpcore.ReadTimeout, httpcore.RemoteProtocolError)
"""Errors that only a request that was sent can meet."""
HTTP_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    OSError,
    UnicodeError,  # a host that is not valid in IDNA, where nothing was sent
)

_T = TypeVar("_T")
_Read: TypeAlias = Callable[[int, bytes | None, timedelta | None], _T | FailedRequest]
"""Decides what a status, a body (None if it was not read) and `Retry-After` prove."""


class HttpTokenEndpoint:
    """Sends one request at a time; implements the port `TokenEndpoint`."""

    def __init__(
        self,
        url: str,
        response_format: ResponseFormat = RFC_6749_RESPONSE,
        make_assertion: MakeAssertion | None = None,
    ) -> None:
        """Prepare for requests.

        Raises:
            ConfigurationError: The environment names a proxy that can't be used.
        """
        self.url = url
        self.response_format = response_format
        self.make_assertion = make_assertion
        find_proxy(url)  # before anything is claimed

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        """Send `request` and read the response, end to end within the time limit.

        A thread does it, because a name lookup has no time limit. If the lookup ends late, the thread finds that no
        time is left, and sends nothing. A connection that isn't there after `CONNECT_SECONDS` counts as not sent.
        """
        return self._call(request, partial(read_response, response_format=self.response_format), timeout_seconds)

    def revoke(self, request: TokenRequest, *, timeout_seconds: float) -> Revoked | FailedRequest:
        """Send `request` to what is a revocation endpoint, as `send` does."""
        return self._call(request, read_revocation, timeout_seconds)

    def _call(self, request: TokenRequest, read: _Read[_T], timeout_seconds: float) -> _T | FailedRequest:
        call = _Call(self, request, read, TimeLimit(timeout_seconds))
        Thread(target=call.run, name="token-request", daemon=True).start()
        return call.wait()


class _Call(Generic[_T]):
    """One request and its response, and how far they came."""

    def __init__(self, endpoint: HttpTokenEndpoint, request: TokenRequest, read: _Read[_T], limit: TimeLimit) -> None:
        self._endpoint = endpoint
        self._request = request
        self._read = read
        self._limit = limit
        self._done: Future[_T | FailedRequest] = Future()
        self._by_status: _T | FailedRequest | None = None
        """What a 4xx or 5xx proves by its status, whatever becomes of its body."""

    def wait(self) -> _T | FailedRequest:
        """Wait for the response. At the time limit, return what is known by then."""
        while (left_seconds := self._limit.remaining_seconds) > 0:
            with suppress(TimeoutError):
                return self._done.result(left_seconds)
        # The thread ends now, too. In a process that was suspended, it reads what has arrived.
        with suppress(TimeoutError):
            return self._done.result(SPARE_SECONDS if self._limit.begun else 0)
        return self._failure(TimeoutError())

    def run(self) -> None:
        try:
            self._done.set_result(self._respond())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._done.set_exception(error)

    def _respond(self) -> _T | FailedRequest:
        try:
            return self._send({**self._request.fields, **self._assertion()})
        except (SigningError, ConfigurationError) as error:
            passes = isinstance(error, SigningError) and error.is_transient
            return FailedRequest(kind=FailureKind.NOT_SENT if passes else FailureKind.NOT_SIGNED, seen=str(error))
        except NOT_SENT as error:
            return FailedRequest(kind=FailureKind.NOT_SENT, seen=type(error).__name__)
        except HTTP_ERRORS as error:
            return self._failure(error)

    def _failure(self, error: Exception) -> _T | FailedRequest:
        sent = self._limit.begun or isinstance(error, SENT)
        kind = FailureKind.NO_RESPONSE if sent else FailureKind.NOT_SENT
        return self._by_status or FailedRequest(kind=kind, seen=type(error).__name__)

    def _assertion(self) -> Mapping[str, str]:
        """Return a new client assertion, for the methods that need one."""
        assertion, make = self._request.assertion, self._endpoint.make_assertion
        return {} if assertion is None or make is None else {"client_assertion": make(assertion)}

    def _send(self, fields: Mapping[str, str]) -> _T | FailedRequest:
        with LimitedTransport(self._limit) as transport:
            response = transport.handle_request(self._http_request(fields))
            status, retry_after = response.status_code, _retry_after(response.headers)
            without_body = self._read(status, None, retry_after)
            if response.is_error:
                self._by_status = without_body
            if response.is_redirect:
                return without_body
            return self._read(status, read_body(response), retry_after)

    def _http_request(self, fields: Mapping[str, str]) -> httpx.Request:
        request, url, headers = self._request, httpx.URL(self._endpoint.url), httpx.Headers(HEADERS)
        if request.encoding is Encoding.QUERY:
            url = url.copy_merge_params(fields)
        headers.update(request.headers)
        content: dict[Encoding, Any] = {Encoding.FORM: {"data": fields}, Encoding.JSON: {"json": fields}}
        return httpx.Request(request.method, url, headers=headers, **content.get(request.encoding, {}))


def read_body(response: httpx.Response) -> bytes | None:
    """Read up to the limit; None where the body is larger, or compressed in a way that Python can't undo.

    A header that names no compression is a mistake of the server's, and must not cost the tokens below it.
    """
    codings = {coding.strip() for coding in response.headers.get("Content-Encoding", "").lower().split(",")}
    if codings & _COMPRESSED:
        return None
    arrived, failure = bytearray(), None
    try:
        for chunk in response.iter_raw():
            arrived += chunk
            if len(arrived) > BODY_LIMIT_BYTES:
                return None
    except HTTP_ERRORS as error:
        failure = error
    body = _unpacked(bytes(arrived)) if codings & _ZLIB else bytes(arrived)
    # An object that has its end is whole, also where the transfer breaks off, or never ends.
    if failure is not None and (body is None or read_object(body, Encoding.JSON) is None):
        raise failure
    return body


def _unpacked(body: bytes) -> bytes | None:
    """Undo a compression that we did not ask for; None where that gives no text, no end, or too much."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # It finds out which of the two formats it is.
    with suppress(zlib.error):  # A proxy has undone it, and left the header.
        unpacked = unpacker.decompress(body, BODY_LIMIT_BYTES + 1)
        # Zeros are padding; anything else is another part of the body.
        if not unpacker.eof or len(unpacked) > BODY_LIMIT_BYTES or unpacker.unused_data.strip(b"\0"):
            return None
        body = unpacked
    # What is no text is still compressed. It may be a 4xx that means a redemption, so it counts as not read.
    with suppress(UnicodeDecodeError):
        body.decode()
        return body
    return None


def _retry_after(headers: httpx.Headers) -> timedelta | None:
    """Read `Retry-After`, seconds or a date (RFC 9110 section 10.2.3); None where it says nothing usable."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:  # noqa: PLR2004 - years
        return timedelta(seconds=int(text))
    try:
        wait = parsedate_to_datetime(text) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(wait, timedelta(0))
