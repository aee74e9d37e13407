"""Adds the access token to httpx requests: `httpx.Client(auth=TokenAuth(reader))`, and the same for `AsyncClient`."""

from collections.abc import AsyncGenerator, Generator

import httpx

from token_refresh.reader.token import Token
from token_refresh.reader.tokens import TokenReader


class TokenAuth(httpx.Auth):
    """Adds the bearer token, and repeats a request once if the response is 401 and another token is current.

    A body that can be sent only once (a generator, an open file, a multipart upload of files) isn't repeated: the
    caller gets the 401, and the next request the new token. `requires_request_body = True` on an instance has httpx
    read bodies into memory first, which makes them repeatable.

    After a redirect the caller gets the 401, too. The API accepted the first request, and must not get it again.
    """

    def __init__(self, reader: TokenReader) -> None:
        """Take the token from a reader.

        Args:
            reader: A `TokenReader`; any number of clients may share it.
        """
        self._reader = reader

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send with the token; after a 401, once more with another."""
        if self.requires_request_body:
            request.read()
        token = self._reader.token()
        response = yield _authorize(request, token)
        # The order counts: `reject` has the new token ready even for a request that can't be repeated.
        if _is_rejected(response, token) and self._reader.reject(token) and _is_repeatable(request):
            yield _authorize(request, self._reader.token())

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send with the token; after a 401, once more with another."""
        if self.requires_request_body:
            await request.aread()
        token = await self._reader.atoken()
        response = yield _authorize(request, token)
        if _is_rejected(response, token) and await self._reader.areject(token) and _is_repeatable(request):
            yield _authorize(request, await self._reader.atoken())


def _authorize(request: httpx.Request, token: Token) -> httpx.Request:
    # Frames hold the token masked: error reporters print local variables.
    request.headers["Authorization"] = _header(token)
    return request


def _header(token: Token) -> str:
    return f"Bearer {token.value}"


def _is_rejected(response: httpx.Response, token: Token) -> bool:
    """Whether the API rejected the token, and so did nothing.

    The flow sees the response after redirects. A 401 that comes after one proves neither: an API that accepts
    `POST /pay` with a 303 has made the payment, and the host that it leads to never got the token.
    """
    return (
        response.status_code == httpx.codes.UNAUTHORIZED
        and not response.history
        # An event hook may have replaced the header.
        and response.request.headers.get("Authorization") == _header(token)
    )


def _is_repeatable(request: httpx.Request) -> bool:
    """Only bytes in memory can surely be sent twice: httpx would send the rest of an open file without a word."""
    return isinstance(request.stream, httpx.ByteStream)
