"""Token requests, built as the provider's `RequestFormat` says. Nothing here sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.client_auth import Assertion, authenticate
from token_refresh_worker.oauth.formats import ASSERTED, RFC_6749_REQUEST, Encoding, Grant, RequestFormat
from token_refresh_worker.stored.credentials import ClientCredentials

_REDEEMED_FIELDS: Final = {Grant.REFRESH_TOKEN: "refresh_token", Grant.EXCHANGE: "access_token"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TokenRequest:
    """A token request that is ready to be sent."""

    method: str = "POST"
    encoding: Encoding = Encoding.FORM
    fields: Mapping[str, str]
    headers: Mapping[str, str]
    assertion: Assertion | None = None
    """To be made and added as `client_assertion` each time the request is sent."""


def refresh_request(
    redeemed: SecretValue,
    client: ClientCredentials,
    request_format: RequestFormat = RFC_6749_REQUEST,
    *,
    endpoint: str = "",
) -> TokenRequest:
    """Build the request that refreshes (RFC 6749 section 6), with exactly one client authentication method.

    `redeemed` is the refresh token; the access token where the grant is an exchange; ignored for client credentials.
    `endpoint` is the token endpoint, for the `aud` of an assertion.
    """
    fields = {"grant_type": request_format.grant_type or request_format.grant.value}
    if request_format.grant in _REDEEMED_FIELDS:
        fields[_REDEEMED_FIELDS[request_format.grant]] = redeemed.reveal()
    return token_request({**fields, **request_format.params}, client, request_format, endpoint=endpoint)


def token_request(
    fields: Mapping[str, str],
    client: ClientCredentials,
    request_format: RequestFormat = RFC_6749_REQUEST,
    *,
    endpoint: str = "",
) -> TokenRequest:
    """Build a token request of any grant type from the grant's own fields."""
    of_client, headers = authenticate(client, request_format.auth_method)
    named = {request_format.names.get(name, name): value for name, value in {**fields, **of_client}.items()}
    # A profile drops a field by giving it an empty name.
    named.pop("", None)
    # Not signed yet: `jti` and `exp` must be new each time the request is sent (RFC 7523 section 3).
    assertion = Assertion(
        client_id=client.client_id,
        audience=request_format.assertion_audience or endpoint,
        algorithm=request_format.assertion_algorithm,
        headers=request_format.assertion_headers,
    )
    return TokenRequest(
        method=request_format.method,
        encoding=request_format.encoding,
        fields=named,
        headers={**request_format.headers, **headers},
        assertion=assertion if request_format.auth_method in ASSERTED else None,
    )
