"""The request of a refresh, and where the client's credentials go in it."""

import base64

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh.oauth.request import AuthMethod, refresh_request
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials

CLIENT = ClientCredentials(client_id="id", client_secret=SecretValue("hush & more"))
REFRESH = SecretValue("r")


def test_credentials_in_the_body() -> None:
    """client_secret_post puts identifier and secret into the form, and nothing into the headers."""
    request = refresh_request(REFRESH, CLIENT, AuthMethod.POST)

    expected = {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "id", "client_secret": "hush & more"}
    assert (expected, {}) == (request.form, request.headers)


def test_credentials_in_the_header() -> None:
    """client_secret_basic form-encodes both parts before joining them, and puts neither into the form."""
    client = ClientCredentials(client_id="i d:", client_secret=SecretValue("p/w&"))

    request = refresh_request(REFRESH, client, AuthMethod.BASIC)

    assert {"grant_type": "refresh_token", "refresh_token": "r"} == request.form
    assert "i+d%3A:p%2Fw%26" == base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()


def test_a_public_client_sends_its_identifier_alone() -> None:
    """Method none sends the identifier, and never a secret that happens to be there."""
    request = refresh_request(REFRESH, CLIENT, AuthMethod.NONE)

    assert {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "id"} == request.form
    assert {} == request.headers


@pytest.mark.parametrize("method", [AuthMethod.POST, AuthMethod.BASIC])
def test_a_method_that_needs_a_secret_says_so(method: AuthMethod) -> None:
    """Without a client secret the request is refused before anything is claimed."""
    with pytest.raises(
        ConfigurationError, match=f"TOKEN_ENDPOINT_AUTH_METHOD is {method}, which needs a client secret"
    ):
        refresh_request(REFRESH, ClientCredentials(client_id="id", client_secret=None), method)


def test_a_request_does_not_show_itself() -> None:
    """The repr of a request has neither the refresh token nor the credentials."""
    assert "TokenRequest()" == repr(refresh_request(REFRESH, CLIENT, AuthMethod.POST))
