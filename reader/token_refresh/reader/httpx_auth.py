"""Adds the access token to httpx requests: `httpx.Client(auth=TokenAuth(reader))`, and the same for `AsyncClient`."""

import httpx

from token_refresh.reader.auth_flow import AuthFlow


class TokenAuth(AuthFlow, httpx.Auth):
    """Adds the bearer token, and repeats a request once if the response is 401 and another token is current.

    A body that can be sent only once (a generator, an open file, a multipart upload of files) isn't repeated: the
    caller gets the 401, and the next request the new token. `requires_request_body = True` on an instance has httpx
    read bodies into memory first, which makes them repeatable.

    After a redirect the caller gets the 401, too. The API accepted the first request, and must not get it again.
    """

    _in_memory = httpx.ByteStream
