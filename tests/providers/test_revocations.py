"""What a request to each provider's revocation endpoint looks like."""

import pytest

from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.formats import Encoding
from token_refresh_worker.oauth.revocation import revocation_request
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.stored.credentials import ClientCredentials

CLIENT = ClientCredentials(client_id="client-1", client_secret=SecretValue("secret-1"))
REVOKING = [name for name in profile_names() if load_provider(name).revocation_endpoint]
BASIC = {"token", "token_type_hint"}
POST = BASIC | {"client_id", "client_secret"}
FIELDS = {
    **dict.fromkeys(("asana", "auth0", "box", "discord", "gitlab", "google", "hubspot", "salesforce", "zoho"), POST),
    "linear": POST - {"token"} | {"refresh_token"},
    "tiktok": POST - {"client_id"} | {"client_key"},
}


@pytest.mark.parametrize("name", REVOKING)
def test_the_request(name: str) -> None:
    """The token is in the body, under the name that the provider documents, with the client as in a token request."""
    provider = load_provider(name)

    request = revocation_request(
        SecretValue("a-token"), "refresh_token", CLIENT, provider.request, provider.revocation, endpoint="unused"
    )

    assert FIELDS.get(name, BASIC) == set(request.fields)
    assert ("Authorization" in request.headers) is (name not in FIELDS)
    assert "a-token" == request.fields[provider.revocation.field]
    assert ("POST", Encoding.JSON if name in {"auth0", "quickbooks"} else Encoding.FORM) == (
        request.method,
        request.encoding,
    )


def test_which_token_is_sent() -> None:
    """It is the refresh token but at one provider, which disconnects the account by the access token."""
    assert ["tiktok"] == [name for name in REVOKING if load_provider(name).revocation.access_token]


def test_what_is_said_first() -> None:
    """Whoever ends a grant at Xero reads before that what else ends, and how one organisation leaves."""
    note = load_provider("xero").revocation.note

    assert "ends every connection of the user who consented, in other secrets too" in note
    assert "DELETE https://api.xero.com/connections/" in note
