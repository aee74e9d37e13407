"""What a consumer reads out of a token document or a published copy."""

import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import AccessToken, read_access_token

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECONDS = 1795521600


def read(document: object) -> AccessToken | None:
    return read_access_token(SecretValue(json.dumps(document)), "tokens in eu-central-1")


@pytest.mark.parametrize(
    "document",
    [
        {"accessToken": "value", "refreshToken": "r", "expiresAt": SECONDS * 1000, "other": [1]},
        {"access_token": "value", "refresh_token": "r", "expires_at": SECONDS},
        {"accessToken": "value", "expiresAt": SECONDS * 1000, "sourceVersionId": "x"},
        {"accessToken": "value", "refreshToken": "r", "expiresAt": "2026-11-24T12:00:00Z"},
        {"access_token": "value", "refresh_token": "r", "expires_at": "2026-11-24T13:00:00.000+01:00"},
        {"access_token": "value", "refresh_token": "r", "expires_at": "2026-11-24T12:00:00"},
        {"accessToken": "value", "expiresAt": SECONDS},
        {"access_token": "value", "expires_at": SECONDS * 1000},
        {"access_token": "value", "expires_at": f"{SECONDS}.5"},
    ],
)
def test_documents(document: dict[str, Any]) -> None:
    """Both spellings are read, with the expiry in their unit or in ISO 8601, with and without a refresh token."""
    assert AccessToken(value=SecretValue("value"), expires_at=NOON) == read(document)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "the secret's value is a JSON array; it must be a JSON object"),
        ({"refreshToken": "r", "refresh_token": "r"}, "refreshToken and refresh_token are both in the secret"),
        ({"refreshToken": "r", "access_token": "a"}, "refreshToken and access_token are both in the secret"),
        ({"accessToken": "a", "expiresAt": 1, "expires_at": None}, "accessToken and expires_at are both in the"),
        ({"accessToken": "a", "issued_at": 1}, "accessToken and issued_at are both in the secret; keep one spelling"),
        ("text", "the secret's value is a JSON string"),
        (None, "the secret's value is a JSON null"),
        ({"accessToken": "a", "expiresAt": 0}, "expiresAt is not a time: it must be Unix"),
        ({"accessToken": "a", "expiresAt": -1}, "expiresAt is not a time: it must be Unix"),
        ({"accessToken": "a", "expiresAt": "0001-01-01T00:00:00+23:00"}, "expiresAt is not a time: it must be Unix"),
        ({"accessToken": "a", "expiresAt": 10**400}, "expiresAt is not a time: it must be Unix"),
        ({"accessToken": "a", "expiresAt": 10**18}, "expiresAt is not a time: it must be Unix"),
        ({"accessToken": 1, "expiresAt": SECONDS * 1000}, "accessToken must be a string, and is a JSON number"),
        ({"accessToken": " a", "expiresAt": SECONDS * 1000}, "accessToken must hold printable ASCII characters"),
        ({"accessToken": "a\n", "expiresAt": SECONDS * 1000}, "accessToken must hold printable ASCII characters"),
        ({"accessToken": "ä", "expiresAt": SECONDS * 1000}, "accessToken must hold printable ASCII characters"),
        ({"accessToken": "\ud800", "expiresAt": SECONDS * 1000}, "accessToken must hold printable ASCII characters"),
        ({"accessToken": "a"}, "expiresAt is missing; it must be Unix seconds or milliseconds, or ISO 8601"),
        ({"access_token": "a"}, "expires_at is missing; it must be Unix seconds or milliseconds, or ISO 8601"),
        ({"access_token": "a", "expires_at": True}, "expires_at is not a time: it must be Unix"),
        ({"access_token": "a", "expires_at": "soon"}, "expires_at is not a time: it must be Unix"),
        ({"access_token": "a", "expires_at": "0001-01-01T00:00:00Z"}, "expires_at is not a time: it must be Unix"),
        ({"access_token": "a", "expires_at": "9999-12-31T23:59:59Z"}, "expires_at is not a time: it must be Unix"),
    ],
)
def test_malformed(document: object, says: str) -> None:
    """A malformed document is refused by the name of the field, and the message names the secret and the region."""
    with pytest.raises(InvalidSecretDocument, match=f"^tokens in eu-central-1: {says}"):
        read(document)


def test_the_error_holds_nothing_stored() -> None:
    """Neither the chain of an error nor a frame of its traceback holds what is stored."""
    with pytest.raises(InvalidSecretDocument) as caught:
        read({"accessToken": "canary", "expiresAt": "canary"})
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in report.stack if frame.filename != __file__]
    assert caught.value.__context__ is None
    assert "canary" not in repr([frame.locals for frame in ours])


@pytest.mark.parametrize("document", [{}, {"accessToken": None}, {"refreshToken": "r", "accessToken": ""}])
def test_no_token(document: dict[str, Any]) -> None:
    """A document without an access token has none yet: the worker's next run stores one."""
    assert None is read(document)


@pytest.mark.parametrize(("lifetime_seconds", "expires_at"), [(1800, NOON), (900, NOON - timedelta(seconds=900))])
def test_an_expiry_that_can_not_be_true(lifetime_seconds: int, expires_at: datetime) -> None:
    """No token lives longer after its storing than a run's last one did."""
    document = {"accessToken": "a", "expiresAt": SECONDS, "tokenRefresh": {"lifetime_seconds": lifetime_seconds}}

    found = read_access_token(SecretValue(json.dumps(document)), "tokens", stored_at=NOON - timedelta(minutes=30))

    assert found is not None
    assert expires_at == found.expires_at


KEYS = st.sampled_from(["accessToken", "refreshToken", "expiresAt", "access_token", "refresh_token", "expires_at", "x"])
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("canary") | st.lists(st.integers())
)


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@settings(max_examples=examples(2_000))
@given(st.dictionaries(KEYS, VALUES) | VALUES)
def test_any_document(document: object) -> None:
    """Any JSON gives a token that fits a header, or none, or a named error without a value of the document."""
    try:
        found = read(document)
    except InvalidSecretDocument as error:
        assert "canary" not in str(error)  # noqa: PT017 - either way is right, and each has its rule
    else:
        assert found is None or (found.value.reveal().isprintable() and found.expires_at.tzinfo is UTC)
