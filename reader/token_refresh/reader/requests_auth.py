"""Adds the access token to requests: `session.auth = TokenAuth(reader)`."""

from functools import partial
from typing import Any

from requests import PreparedRequest, Response, codes
from requests.auth import AuthBase
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from token_refresh.reader.auth_flow import authorization
from token_refresh.reader.token import Token
from token_refresh.reader.tokens import TokenReader


class TokenAuth(AuthBase):
    """Adds the bearer token, and repeats a request once if the response is 401 and another token is current.

    An open file is rewound first. A body that can be sent only once (a generator) isn't repeated: the caller gets the
    401, and the next request the new token.
    """

    def __init__(self, reader: TokenReader) -> None:
        """Take the token from a reader.

        Args:
            reader: A `TokenReader`; any number of clients may share it.
        """
        self._reader = reader

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token, and the hook that looks at the response."""
        token = self._reader.token()
        request.headers["Authorization"] = authorization(token)
        request.register_hook("response", partial(self._repeat, token))  # type: ignore[no-untyped-call] # the stubs' omission
        return request

    def _repeat(self, token: Token, response: Response, **options: Any) -> Response:
        """Send the request once more with another token, if this one was rejected."""
        rejected = response.request
        # A redirect to another host keeps the hook and drops the token: that host's 401 says nothing about the token.
        if response.status_code != codes.unauthorized or rejected.headers.get("Authorization") != authorization(token):
            return response
        if not self._reader.reject(token) or not _rewind(rejected):
            return response
        current = self._reader.token()
        _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        again = rejected.copy()
        again.headers["Authorization"] = authorization(current)
        # The adapter that sent the first one: proxies, certificates and mounts stay the same.
        repeated: Response = response.connection.send(again, **options)
        repeated.history.append(response)
        repeated.request = again
        return repeated


def _rewind(request: PreparedRequest) -> bool:
    """Make a body ready to be sent again; False if that is impossible."""
    body: object = request.body  # the stubs leave out streams
    if body is None or isinstance(body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
