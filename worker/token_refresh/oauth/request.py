"""The refresh request (RFC 6749 section 6) and how the client authenticates (section 2.3)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from token_refresh.errors import ConfigurationError
from token_refresh.oauth.formats import AuthMethod
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials

__all__ = ["AuthMethod", "TokenRequest", "refresh_request", "token_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A refresh request (RFC 6749 section 6): a form body, and headers for `client_secret_basic`."""

    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def refresh_request(refresh_token: SecretValue, client: ClientCredentials, method: AuthMethod) -> TokenRequest:
    """Build the request, with exactly one client authentication method (RFC 6749 section 2.3).

    Raises:
        ConfigurationError: The method needs a client secret and there is none.
    """
    return token_request({"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}, client, method)


def token_request(grant: Mapping[str, str], client: ClientCredentials, method: AuthMethod) -> TokenRequest:
    """Build a token request of any grant type: the grant's own fields, and the client's authentication.

    Raises:
        ConfigurationError: The method needs a client secret and there is none.
    """
    if method is AuthMethod.NONE:
        return TokenRequest(form={**grant, "client_id": client.client_id}, headers={})
    if client.client_secret is None:
        raise ConfigurationError(
            f"TOKEN_ENDPOINT_AUTH_METHOD is {method}, which needs a client secret, and none is configured; "
            "store clientSecret beside clientId, or set the method to none for a public client"
        )
    secret = client.client_secret.reveal()
    if method is AuthMethod.POST:
        return TokenRequest(form={**grant, "client_id": client.client_id, "client_secret": secret}, headers={})
    # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}".encode()
    return TokenRequest(form=grant, headers={"Authorization": f"Basic {base64.b64encode(pair).decode()}"})
