"""The exact edges: where one value is taken and the next is not, and messages to the letter."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from builders import NOW, document, fields
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object
from token_refresh_worker.oauth.response import FailedRequest, Kind, read_response
from token_refresh_worker.stored.document import read_document


def test_a_renewed_document_is_what_a_later_run_reads() -> None:
    """What a run holds in memory after a refresh is what the next one reads from the store."""
    renewed = document().renewed(
        access_token=SecretValue("access-1"),
        refresh_token=SecretValue("refresh-1"),
        lifetime=timedelta(hours=24),
        issued_at=NOW,
    )

    assert read_document(renewed.serialize()) == renewed


def test_a_document_is_stored_without_spaces() -> None:
    """A stored document is compact: its size is limited."""
    stored = fields()

    compact = json.dumps(stored, separators=(",", ":"))

    assert compact == read_document(SecretValue(json.dumps(stored, indent=2))).serialize().reveal()


def test_the_earliest_expiry_is_taken_and_the_latest_is_not() -> None:
    """An expiry in seconds is from 10**8 on, and below 10**11, where milliseconds begin."""
    stored = {"refresh_token": "r", "expires_at": 10**8}

    assert datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC) == read_document(SecretValue(json.dumps(stored))).expires_at
    with pytest.raises(InvalidSecretDocument, match=r"^expires_at does not look like Unix seconds"):
        read_document(SecretValue(json.dumps(stored | {"expires_at": 10**11})))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"^the secret's value is not JSON; it must be a JSON object$"),
        (
            "{}",
            r"^refreshToken or refresh_token is missing, null or empty$",
        ),
        (
            '{"refreshToken":"a","refresh_token":"b"}',
            r"^refreshToken and refresh_token are both in the secret; keep one spelling$",
        ),
    ],
    ids=["no JSON", "no spelling", "both spellings"],
)
def test_a_document_that_is_none_is_refused_in_these_words(text: str, message: str) -> None:
    """The message says what is wrong with the stored value."""
    with pytest.raises(InvalidSecretDocument, match=message):
        read_document(SecretValue(text))


def test_an_empty_object_is_an_object() -> None:
    """A JSON object without keys is read as one."""
    assert {} == read_object(SecretValue("{}"))


def test_status_300_is_no_success() -> None:
    """The first status after the successful ones is a refusal, whatever its body says."""
    response = read_response(300, b'{"access_token":"a"}')

    assert isinstance(response, FailedRequest)
    assert Kind.UNEXPECTED is response.kind
