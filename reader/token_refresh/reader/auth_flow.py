"""What `TokenAuth` does with a request, for httpx and for its successor httpx2: both have the same interface."""

from collections.abc import AsyncGenerator, Generator
from http import HTTPStatus
from typing import Any

from token_refresh.reader.token import Token
from token_refresh.reader.tokens import TokenReader


class AuthFlow:
    """Adds the bearer token, and repeats a request once if the response is 401 and another token is current.

    It stands before the library's own `Auth`, from which it gets `requires_request_body`.
    """

    requires_request_body: bool
    _in_memory: type
    """The library's stream of bytes in memory. They alone can surely be sent twice: of an open file, httpx would send
    the rest without a word."""

    def __init__(self, reader: TokenReader) -> None:
        """Take the token from a reader.

        Args:
            reader: A `TokenReader`; any number of clients may share it.
        """
        self._reader = reader

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send with the token; after a 401, once more with another."""
        if self.requires_request_body:
            request.read()
        token = self._reader.token()
        response = yield _authorize(request, token)
        # The order counts: `reject` has the new token ready even for a request that can't be repeated.
        if _is_rejected(response, token) and self._reader.reject(token) and self._is_repeatable(request):
            yield _authorize(request, self._reader.token())

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """Send with the token; after a 401, once more with another."""
        if self.requires_request_body:
            await request.aread()
        token = await self._reader.atoken()
        response = yield _authorize(request, token)
        if _is_rejected(response, token) and await self._reader.areject(token) and self._is_repeatable(request):
            yield _authorize(request, await self._reader.atoken())

    def _is_repeatable(self, request: Any) -> bool:
        return isinstance(request.stream, self._in_memory)


def _authorize(request: Any, token: Token) -> Any:
    # Frames hold the token masked: error reporters print local variables.
    request.headers["Authorization"] = authorization(token)
    return request


def authorization(token: Token) -> str:
    """Return the value of the header `Authorization` (RFC 6750 section 2.1)."""
    return f"Bearer {token.value}"


def _is_rejected(response: Any, token: Token) -> bool:
    """Whether the API rejected the token, and so did nothing.

    The flow sees the response after redirects. A 401 that comes after one proves neither: an API that accepts
    `POST /pay` with a 303 has made the payment, and the host that it leads to never got the token.
    """
    return (
        response.status_code == HTTPStatus.UNAUTHORIZED
        and not response.history
        # An event hook may have replaced the header.
        and response.request.headers.get("Authorization") == authorization(token)
    )
