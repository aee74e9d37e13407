from typing import Any

import pytest

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials

FOUND = ClientCredentials(client_id="id", client_secret=SecretValue("hush"))


@pytest.mark.parametrize(
    "fields",
    [
        {"clientId": "id", "clientSecret": "hush"},
        {"client_id": "id", "client_secret": "hush"},
        {"clientId": "id", "client_id": "id", "client_secret": "hush", "other": 1},
        {"clientId": "id", "client_id": None, "client_secret": "hush", "clientSecret": ""},
    ],
)
def test_either_spelling_is_read(fields: dict[str, Any]) -> None:
    """Client credentials are found under the keys of either spelling."""
    assert FOUND == read_credentials(fields)


@pytest.mark.parametrize("fields", [{}, {"clientSecret": "hush"}, {"clientId": ""}, {"client_id": None}])
def test_without_an_identifier_there_are_none(fields: dict[str, Any]) -> None:
    """A client secret alone, or an empty identifier, is as good as nothing: the next place is asked."""
    assert None is read_credentials(fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"clientId": 7}, "clientId must be a string, and is a JSON number"),
        ({"clientId": "id", "client_secret": ["canary"]}, "client_secret must be a string, and is a JSON array"),
        ({"clientId": "id", "clientSecret": "canary\ud800"}, "clientSecret holds half of a surrogate pair"),
        ({"clientId": "canary\udfff"}, "clientId holds half of a surrogate pair, which can't be sent"),
        ({"clientId": "canary "}, "clientId begins or ends with white space"),
        ({"client_id": "id", "client_secret": "canary\n"}, "client_secret begins or ends with white space"),
        ({"clientId": "canary-1", "client_id": "canary-2"}, "clientId and client_id are both there and differ"),
    ],
)
def test_wrong_credentials_are_named_and_not_shown(fields: dict[str, Any], says: str) -> None:
    """Credentials that can't be right are refused by their key, never by their value."""
    with pytest.raises(InvalidSecretDocument, match=says) as caught:
        read_credentials(fields)

    assert "canary" not in str(caught.value)
