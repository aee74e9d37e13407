"""The request that revokes a token, and what its response says (RFC 7009). Nothing here sends or receives."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.body import json_error
from token_refresh_worker.oauth.formats import Encoding, RequestFormat, RevocationFormat
from token_refresh_worker.oauth.request import TokenRequest, token_request
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.stored.credentials import ClientCredentials

_UNKNOWN_TOKEN: Final = frozenset({"invalid_token", "invalid_grant"})
"""Errors that some providers send for a token that has ended; RFC 7009 section 2.2 has 200 for it."""
CLIENT_CODES: Final = frozenset({"invalid_client", "unauthorized_client"})


def revocation_request(  # noqa: PLR0913 - a request's parts, and the two formats that it has
    token: SecretValue,
    kind: str,
    client: ClientCredentials,
    request_format: RequestFormat,
    revocation: RevocationFormat,
    *,
    endpoint: str,
) -> TokenRequest:
    """Build the request, with the client authentication of a token request (RFC 7009 section 2.1).

    `kind` is `refresh_token` or `access_token`, and `endpoint` the token endpoint, for the `aud` of an assertion.
    """
    fields = {revocation.field: token.reveal(), "token_type_hint": kind}
    encoding = revocation.encoding or request_format.encoding
    # A token is never put into a URL, which servers log.
    encoding = Encoding.FORM if encoding is Encoding.QUERY else encoding
    return token_request(fields, client, replace(request_format, method="POST", encoding=encoding), endpoint=endpoint)


def read_revocation(status: int, body: bytes | None, retry_after: timedelta | None = None) -> FailedRequest | None:
    """Decide what a response proves; None if the token works no more."""
    error = json_error(body)
    code = error if isinstance(error, str) else None
    # Some send errors with status 200.
    if (200 <= status < 300 and not error) or (status == 400 and code in _UNKNOWN_TOKEN):  # noqa: PLR2004 - RFC 7009 section 2.2
        return None
    if code in CLIENT_CODES or status == 401:  # noqa: PLR2004 - RFC 6749 section 5.2
        return FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen=f"HTTP {status}")
    busy = status in {429, 503}
    kind = FailureKind.BUSY if busy else FailureKind.REQUEST_REJECTED
    return FailedRequest(kind=kind, seen=f"HTTP {status}", retry_after=retry_after)
