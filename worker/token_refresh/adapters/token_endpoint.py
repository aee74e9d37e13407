"""The provider's token endpoint, over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from token_refresh import __version__
from token_refresh.core.oauth import BODY_LIMIT_BYTES, Answer, Failure, Kind, TokenRequest, read_answer

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # An encoded body can be a thousand times what arrives.
    "User-Agent": f"token-refresh-worker/{__version__}",  # Requests without one have met a challenge page.
}
_SETTLE_SECONDS: Final = 0.5

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

        The time limit holds end to end, which a synchronous client's does not: it counts each read anew, and a server
        that drips bytes can go on for ever.
        """
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(_Exchange().run(self._url, request, timeout_seconds))
        finally:
            loop.run_until_complete(_settle())
            loop.close()  # Without waiting for a name lookup that hangs, as asyncio.run would.


async def _settle() -> None:
    """Let streams that were left half-read close: otherwise Python reports them on standard error."""
    await asyncio.sleep(0)  # They are closed by tasks, which start now.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0)), *left}, timeout=_SETTLE_SECONDS)
    await asyncio.get_running_loop().shutdown_asyncgens()


class _Exchange:
    """One request and its answer, and how far it came."""

    def __init__(self) -> None:
        self._begun = False
        self._refusal: Answer | None = None
        """What a 4xx proves by its status, whatever becomes of its body."""

    async def run(self, url: str, request: TokenRequest, timeout_seconds: float) -> Answer:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(url, request, timeout_seconds)
        except _NOT_SENT as error:
            return Failure(kind=Kind.NOT_SENT, seen=type(error).__name__)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TimeoutError is an OSError.
            kind = Kind.NO_ANSWER if self._begun else Kind.NOT_SENT
            return self._refusal or Failure(kind=kind, seen=type(error).__name__)

    async def _exchange(self, url: str, request: TokenRequest, timeout_seconds: float) -> Answer:
        async with (
            httpx.AsyncClient(headers=_HEADERS, timeout=timeout_seconds, follow_redirects=False) as client,
            client.stream(
                "POST",
                url,
                data=dict(request.form),
                headers=dict(request.headers),
                extensions={"trace": self._trace},
            ) as response,
        ):
            status, retry_after = response.status_code, _retry_after(response.headers)
            without_body = read_answer(status, None, retry_after)
            if response.is_client_error:
                self._refusal = without_body
            decided_by_body = response.is_success or response.is_client_error
            return read_answer(status, await _read_body(response), retry_after) if decided_by_body else without_body

    async def _trace(self, event: str, _: object) -> None:
        """Note when the first byte may have left: from there on, silence proves nothing."""
        self._begun = self._begun or event.endswith(".send_request_headers.started")


async def _read_body(response: httpx.Response) -> bytes | None:
    """Read up to the limit; None where the body is encoded or larger."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    async for chunk in response.aiter_raw():
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
