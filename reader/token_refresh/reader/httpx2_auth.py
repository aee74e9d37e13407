"""Adds the access token to httpx2 requests: `httpx2.Client(auth=TokenAuth(reader))`, and the same for `AsyncClient`."""

import httpx2

from token_refresh.reader.auth_flow import AuthFlow


class TokenAuth(AuthFlow, httpx2.Auth):
    """Does what `token_refresh.reader.httpx_auth.TokenAuth` does, for httpx2, the successor of httpx."""

    _in_memory = httpx2.ByteStream
