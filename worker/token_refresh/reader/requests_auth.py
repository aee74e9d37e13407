"""Puts the access token on requests: `session.auth = TokenAuth(reader)`."""

from functools import partial
from typing import Any

from requests import PreparedRequest, Response, codes
from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from token_refresh.reader.tokens import TokenReader


class TokenAuth(AuthBase):
    """Adds the bearer token, and repeats a request once where it was answered 401 and another token is there.

    An open file is wound back first. A body that can be sent only once (a generator) isn't repeated: its caller gets
    the 401, and the next request the new token.
    """

    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token, and the hook that looks at the answer."""
        token = self._reader.get()
        request.headers["Authorization"] = f"Bearer {token}"
        request.register_hook("response", partial(self._repeat, token))  # type: ignore[no-untyped-call] # the stubs' omission
        return request

    def _repeat(self, token: str, response: Response, **options: Any) -> Response:
        """Send the request once more with another token, if the answer says that this one is refused."""
        refused = response.request
        # A redirect to another host carries the hook along, and not the token: it is none of that host's business.
        if response.status_code != codes.unauthorized or refused.headers.get("Authorization") != f"Bearer {token}":
            return response
        if not self._reader.reject(token) or not _rewind(refused):
            return response
        _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        again = refused.copy()
        again.headers["Authorization"] = f"Bearer {self._reader.get()}"
        answer: Response = response.connection.send(again, **options)
        answer.history.append(response)
        answer.request = again
        return answer


def _rewind(request: PreparedRequest) -> bool:
    """Make a body ready to be sent again, if that is possible."""
    body: object = request.body  # the stubs leave out what can be streamed
    if body is None or isinstance(body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
