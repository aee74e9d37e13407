"""The provider's token endpoint, over HTTP."""

import ssl
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Thread
from typing import Any, Final, TypeAlias

import httpcore
import httpx

from token_refresh import __version__
from token_refresh.aws.calls import IS_OURS
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.adapters.client_assertion import MakeAssertion
from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.adapters.time_limit import LimitedTransport, TimeLimit
from token_refresh_worker.oauth.body import read_fields, unpack
from token_refresh_worker.oauth.client_auth import ASSERTION_LIFETIME, Assertion
from token_refresh_worker.oauth.formats import RFC_6749_RESPONSE, Encoding, ResponseFormat
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import (
    BODY_LIMIT_BYTES,
    EndpointResponse,
    FailedRequest,
    FailureKind,
    read_response,
)
from token_refresh_worker.oauth.revocation import read_revocation
from token_refresh_worker.oauth.unread import may_hold_tokens, write_unread

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

_Arrived: TypeAlias = tuple[int, bytes | None, timedelta | None]
"""The status, the body (None if it was not read), and `Retry-After`."""


class HttpTokenEndpoint:
    """Sends one request at a time; implements the port `TokenEndpoint`."""

    def __init__(
        self,
        url: str,
        response_format: ResponseFormat = RFC_6749_RESPONSE,
        make_assertion: MakeAssertion | None = None,
        ca_certificates: str | None = None,
    ) -> None:
        """Prepare for requests. `ca_certificates`, in PEM, are trusted instead of the public authorities."""
        self.url = url
        self.response_format = response_format
        self.make_assertion = make_assertion
        self.ca_certificates = ca_certificates
        self._signed: tuple[Assertion, str, float] | None = None
        """The next request's client assertion, and when it was made, by a stopwatch."""
        find_proxy(url)  # before anything is claimed

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        """Make the client assertion of the next request, if it needs one; return why it can't be made."""
        if request.assertion is None or self.make_assertion is None:
            return None
        try:
            self._signed = request.assertion, self.make_assertion(request.assertion), time.monotonic()
        except TokenRefreshError as error:
            return _not_signed(error)
        return None

    def assertion(self, request: TokenRequest) -> Mapping[str, str]:
        """Return a client assertion, for the methods that need one: each is sent once, and while it is young."""
        if request.assertion is None or self.make_assertion is None:
            return {}
        signed, self._signed = self._signed, None
        young = signed is not None and time.monotonic() - signed[2] < ASSERTION_LIFETIME.total_seconds() / 2
        ready = signed[1] if signed and young and signed[0] == request.assertion else None
        return {"client_assertion": ready or self.make_assertion(request.assertion)}

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        """Send `request` and read the response, end to end within the time limit.

        A thread does it, because a name lookup has no time limit. If the lookup ends late, the thread finds that no
        time is left, and sends nothing. A connection that isn't there after `CONNECT_SECONDS` counts as not sent.
        """
        limit = TimeLimit(timeout_seconds)
        arrived = _Call(self, request, limit).response()
        if isinstance(arrived, FailedRequest):
            response: EndpointResponse = arrived
        else:
            response = read_response(*arrived, self.response_format)
        # Bytes, and not what httpx made of them: it may be its parser that refused them.
        received = bytes(limit.received)
        if isinstance(response, FailedRequest) and response.kind.may_have_redeemed and may_hold_tokens(received):
            return replace(response, unread=write_unread(received))
        return response

    def reach(self, *, timeout_seconds: float) -> FailedRequest | None:
        """Send a request without any field over https, and return why it could not be sent; None if it could."""
        if not self.url.startswith("https://"):
            return None  # a test's: it has no certificate
        nothing = TokenRequest(method="GET", encoding=Encoding.QUERY, fields={}, headers={})
        arrived = _Call(self, nothing, TimeLimit(timeout_seconds)).response()
        unsent = isinstance(arrived, FailedRequest) and arrived.kind in {FailureKind.NOT_SENT, FailureKind.UNTRUSTED}
        return arrived if isinstance(arrived, FailedRequest) and unsent else None

    def revoke(self, request: TokenRequest, *, timeout_seconds: float) -> FailedRequest | None:
        """Send `request` to what is a revocation endpoint, as `send` does; None if the token works no more."""
        arrived = _Call(self, request, TimeLimit(timeout_seconds)).response()
        return arrived if isinstance(arrived, FailedRequest) else read_revocation(*arrived)


class _Call:
    """One request and its response, and how far they came."""

    def __init__(self, endpoint: HttpTokenEndpoint, request: TokenRequest, limit: TimeLimit) -> None:
        self._endpoint = endpoint
        self._request = request
        self._limit = limit
        self._done: Future[_Arrived | FailedRequest] = Future()
        self._error_status: _Arrived | None = None
        """The status of a 4xx or 5xx: it proves something, whatever becomes of its body."""

    def response(self) -> _Arrived | FailedRequest:
        """Send, and wait for the response. At the time limit, return what is known by then."""
        Thread(target=self._run, name="token-request", daemon=True).start()
        while (left_seconds := self._limit.remaining_seconds) > 0:
            with suppress(TimeoutError):
                return self._done.result(left_seconds)
        # The thread ends now, too. In a process that was suspended, it reads what has arrived.
        with suppress(TimeoutError):
            return self._done.result(SPARE_SECONDS if self._limit.begun else 0)
        return self._failure(TimeoutError())

    def _run(self) -> None:
        IS_OURS.set(True)  # A redirect may repeat the request's query. This thread has no other call.
        try:
            self._done.set_result(self._respond())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._done.set_exception(error)

    def _respond(self) -> _Arrived | FailedRequest:
        try:
            return self._send({**self._request.fields, **self._endpoint.assertion(self._request)})
        except TokenRefreshError as error:
            return _not_signed(error)
        except NOT_SENT as error:
            return _not_sent(error)
        except HTTP_ERRORS as error:
            return self._failure(error)

    def _failure(self, error: Exception) -> _Arrived | FailedRequest:
        sent = self._limit.begun or isinstance(error, SENT)
        kind = FailureKind.NO_RESPONSE if sent else FailureKind.NOT_SENT
        return self._error_status or FailedRequest(kind=kind, seen=type(error).__name__)

    def _send(self, fields: Mapping[str, str]) -> _Arrived:
        with LimitedTransport(self._limit, self._endpoint.ca_certificates) as transport:
            response = transport.handle_request(self._http_request(fields))
            status, retry_after = response.status_code, _retry_after(response.headers)
            if response.is_error:
                self._error_status = status, None, retry_after
            return status, None if response.is_redirect else read_body(response), retry_after

    def _http_request(self, fields: Mapping[str, str]) -> httpx.Request:
        request, url, headers = self._request, httpx.URL(self._endpoint.url), httpx.Headers(HEADERS)
        if request.encoding is Encoding.QUERY:
            url = url.copy_merge_params(fields)
        headers.update(request.headers)
        content: dict[Encoding, Any] = {Encoding.FORM: {"data": fields}, Encoding.JSON: {"json": fields}}
        return httpx.Request(request.method, url, headers=headers, **content.get(request.encoding, {}))


def _not_sent(error: Exception) -> FailedRequest:
    cause = error.args[0] if error.args else None  # The pool of httpcore drops `__cause__`.
    if isinstance(cause, ssl.SSLCertVerificationError):  # OpenSSL's words, with no text of the server but host names
        return FailedRequest(kind=FailureKind.UNTRUSTED, seen=f"certificate not trusted: {cause.verify_message}")
    return FailedRequest(kind=FailureKind.NOT_SENT, seen=type(error).__name__)


def _not_signed(error: TokenRefreshError) -> FailedRequest:
    kind = FailureKind.NOT_SIGNED if error.needs_person else FailureKind.NOT_SENT
    return FailedRequest(kind=kind, seen=str(error))


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
    body: bytes | None = bytes(arrived)
    if codings & _ZLIB:
        unpacked = unpack(bytes(arrived), BODY_LIMIT_BYTES)
        # What is no text is still compressed. It may be a 4xx that means a redemption, so it counts as not read.
        body, ended = unpacked or (None, False)
        failure = failure or (None if ended or body is None else httpcore.RemoteProtocolError())
    # An object that has its end is whole, also where the transfer breaks off, or never ends.
    if failure is not None and (body is None or read_fields(body, Encoding.JSON) is None):
        raise failure
    return body


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
