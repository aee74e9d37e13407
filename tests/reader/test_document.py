"""What counts as a token document, for a reader."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from token_refresh.reader import InvalidSecretDocument, SecretEmpty
from token_refresh.reader.document import parse

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECONDS = 1795521600


@pytest.mark.parametrize(
    "document",
    [
        {"accessToken": "value", "refreshToken": "r", "expiresAt": SECONDS * 1000, "other": [1]},
        {"access_token": "value", "refresh_token": "r", "expires_at": SECONDS},
        {"accessToken": "value", "expiresAt": SECONDS * 1000, "sourceVersionId": "x"},
        {"accessToken": "value", "refreshToken": "r", "expiresAt": "2026-11-24T12:00:00Z"},
        {"access_token": "value", "refresh_token": "r", "expires_at": "2026-11-24T13:00:00.000+01:00"},
        {"access_token": "value", "refresh_token": "r", "expires_at": "2026-11-24T12:00:00"},
    ],
)
def test_documents(document: dict[str, Any]) -> None:
    """Both spellings are read, with the expiry in their unit or in ISO 8601, with and without a refresh token."""
    assert ("value", NOON) == parse(json.dumps(document), "tokens")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "must be a JSON object"),
        ({"refreshToken": "r", "refresh_token": "r"}, "holds both refreshToken and refresh_token: keep one"),
        ({"refreshToken": "r", "access_token": "a"}, "holds both refreshToken and access_token: keep one spelling"),
        ({"accessToken": "a", "expiresAt": 1, "expires_at": None}, "holds both accessToken and expires_at: keep"),
        ({"accessToken": "a", "expiresAt": 10**400}, "expiresAt must be Unix milliseconds"),
        ({"accessToken": "a", "access_token": "a"}, "holds both accessToken and access_token: keep one"),
        ({"accessToken": 1, "expiresAt": SECONDS * 1000}, "accessToken must be a string of visible ASCII"),
        ({"accessToken": "a b", "expiresAt": SECONDS * 1000}, "accessToken must be a string of visible ASCII"),
        ({"accessToken": "a\n", "expiresAt": SECONDS * 1000}, "accessToken must be a string of visible ASCII"),
        ({"accessToken": "ä", "expiresAt": SECONDS * 1000}, "accessToken must be a string of visible ASCII"),
        ({"accessToken": "a"}, "expiresAt must be Unix milliseconds, an integer, or ISO 8601"),
        ({"accessToken": "a", "expiresAt": SECONDS}, "expiresAt must be Unix milliseconds"),
        ({"access_token": "a", "expires_at": SECONDS * 1000}, "expires_at must be Unix seconds"),
        ({"access_token": "a", "expires_at": True}, "expires_at must be Unix seconds"),
        ({"access_token": "a", "expires_at": float(SECONDS)}, "expires_at must be Unix seconds"),
        ({"access_token": "a", "expires_at": "soon"}, "expires_at must be ISO 8601, or Unix seconds"),
        ({"access_token": "a", "expires_at": "0001-01-01T00:00:00+01:00"}, "expires_at must be ISO 8601"),
    ],
)
def test_malformed(document: object, says: str) -> None:
    """What isn't a token document is refused, by the name of the field."""
    with pytest.raises(InvalidSecretDocument, match=says):
        parse(json.dumps(document), "tokens")


def test_binary() -> None:
    """A binary secret is no token document."""
    with pytest.raises(InvalidSecretDocument, match="tokens is binary"):
        parse(b"{}", "tokens")


def test_nesting_without_end() -> None:
    """JSON that is nested too deep is malformed, and no crash."""
    with pytest.raises(InvalidSecretDocument, match="must be a JSON object"):
        parse("[" * 200_000, "tokens")


@pytest.mark.parametrize("document", [{}, {"accessToken": None}, {"refreshToken": "r", "accessToken": ""}])
def test_no_token(document: dict[str, Any]) -> None:
    """Without an access token there is no token yet."""
    with pytest.raises(SecretEmpty):
        parse(json.dumps(document), "tokens")


KEYS = st.sampled_from(["accessToken", "refreshToken", "expiresAt", "access_token", "refresh_token", "expires_at", "x"])
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("canary") | st.lists(st.integers())
)


@given(st.dictionaries(KEYS, VALUES) | VALUES)
def test_any_document(document: object) -> None:
    """Any JSON at all gives a token that fits a header, or a named error without a value of the document."""
    try:
        token, expires_at = parse(json.dumps(document), "tokens")
    except (InvalidSecretDocument, SecretEmpty) as error:
        assert "canary" not in str(error)  # noqa: PT017 - either way is right, and each has its rule
    else:
        assert token.isascii()
        assert expires_at.tzinfo is UTC
