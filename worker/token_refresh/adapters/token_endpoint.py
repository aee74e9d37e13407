"""The provider's token endpoint, over HTTP."""

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock, Thread
from typing import Final

import httpx

from token_refresh import __version__
from token_refresh.oauth.request import TokenRequest
from token_refresh.oauth.response import BODY_LIMIT_BYTES, Answer, Failure, Kind, read_answer

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


class HttpTokenEndpoint:
    """Sends one request at a time; implements the port `TokenEndpoint`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> Answer:
        """Send `request` and read its answer.

        The time limit holds end to end, which the client's own does not: that counts each read anew, so that a server
        that drips bytes can go on for ever, and leaves out the name lookup. So the exchange has a thread of its own,
        which is left behind at the limit; from then on it sends nothing more, even if Lambda thaws it hours later.
        """
        exchange = _Exchange(self._url, request, timeout_seconds)
        Thread(target=exchange.run, name="token-request", daemon=True).start()
        return exchange.wait()


class _Left(Exception):  # noqa: N818 - nothing failed
    """Nobody waits for this exchange any more."""


class _Exchange:
    """One request and its answer, and how far it came."""

    def __init__(self, url: str, request: TokenRequest, timeout_seconds: float) -> None:
        self._url = url
        self._request = request
        self._timeout_seconds = timeout_seconds
        self._done: Future[Answer] = Future()
        self._lock = Lock()
        self._begun = False
        """Whether the first byte may have left: from there on, silence proves nothing."""
        self._left = False
        self._refusal: Answer | None = None
        """What a 4xx proves by its status, whatever becomes of its body."""

    def wait(self) -> Answer:
        """Wait for the answer; at the time limit say what is known by then, and let nothing be sent after that."""
        try:
            return self._done.result(self._timeout_seconds)
        except TimeoutError as error:
            with self._lock:
                self._left = True
                return self._failure(error)

    def run(self) -> None:
        try:
            self._done.set_result(self._answer())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._done.set_exception(error)

    def _answer(self) -> Answer:
        try:
            return self._exchange()
        except _NOT_SENT as error:
            return Failure(kind=Kind.NOT_SENT, seen=type(error).__name__)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._failure(error)

    def _failure(self, error: Exception) -> Answer:
        kind = Kind.NO_ANSWER if self._begun else Kind.NOT_SENT
        return self._refusal or Failure(kind=kind, seen=type(error).__name__)

    def _exchange(self) -> Answer:
        with (
            httpx.Client(headers=_HEADERS, timeout=self._timeout_seconds, follow_redirects=False) as client,
            client.stream(
                "POST",
                self._url,
                data=dict(self._request.form),
                headers=dict(self._request.headers),
                extensions={"trace": self._trace},
            ) as response,
        ):
            status, retry_after = response.status_code, _retry_after(response.headers)
            without_body = read_answer(status, None, retry_after)
            if response.is_client_error:
                self._refusal = without_body
            decided_by_body = response.is_success or response.is_client_error
            return read_answer(status, _read_body(response), retry_after) if decided_by_body else without_body

    def _trace(self, event: str, _: object) -> None:
        """Note when the first byte may leave; once nobody waits for the exchange, no further one does."""
        if ".send_request_" in event and event.endswith(".started"):
            with self._lock:
                if self._left:
                    raise _Left
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
