"""What is stored is a format: later releases read it, and runs of two releases may meet on one secret."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from builders import NOW, document, fields, text
from token_refresh.core.versions import claim_version_id, published_version_id, record_version_id, staged_version_id
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.document import TokenDocument, read_document
from token_refresh.stored.published import published_document


@pytest.fixture
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("expected", "derive", "given"),
    [
        ("0a93b4be-e3ea-517d-8090-538792f50186", claim_version_id, (None,)),
        ("e78cb801-ec2c-5907-a078-8715f2d6e5b9", claim_version_id, ("c1",)),
        (
            "41656059-495a-573e-969b-509d2731f94f",
            staged_version_id,
            (
                "c1",
                "v0",
            ),
        ),
        ("d9b48dab-7430-5665-a219-0baab0ea3562", record_version_id, ("c1",)),
        ("c20d3130-5a2d-5db9-bdd4-33c4883263db", published_version_id, ("v0",)),
    ],
    ids=["the first claim", "the next claim", "staged tokens", "a record", "a published copy"],
)
def test_derived_version_ids_never_change(
    expected: str, derive: Callable[..., str], given: tuple[str | None, ...]
) -> None:
    """Two releases that run at once derive the same IDs: otherwise both would claim."""
    assert expected == derive(*given)


@pytest.mark.parametrize(
    ("others", "kind", "scope"),
    [
        ({}, "Bearer", None),
        ({"tokenType": "DPoP", "scope": "read write"}, "DPoP", "read write"),
        ({"token_type": "mac"}, "mac", None),
    ],
    ids=["nothing said", "camel case", "snake case"],
)
def test_the_published_copy_is_stored_in_this_form(others: dict[str, str], kind: str, scope: str | None) -> None:
    """Consumers read access token, expiry in milliseconds, type, scope and source; nothing else is in the copy."""
    stored = published_document(document(expires_at=NOW, **others), "v7").reveal()

    expected = {
        "accessToken": "access-0",
        "expiresAt": int(NOW.timestamp()) * 1000,
        "tokenType": kind,
        "scope": scope,
        "sourceVersionId": "v7",
    }
    assert json.dumps(expected, separators=(",", ":")) == stored


@pytest.mark.usefixtures("_far_from_utc")
def test_a_time_without_a_zone_is_utc_on_every_machine() -> None:
    """An ISO 8601 expiry without an offset means UTC, wherever the worker runs; one with an offset is converted."""
    naive = read_document(SecretValue(json.dumps({**fields(), "expiresAt": "2026-11-24T12:00:00"}))).expires_at
    offset = read_document(SecretValue(json.dumps({**fields(), "expiresAt": "2026-11-24T14:00:00+02:00"}))).expires_at

    assert [datetime(2026, 11, 24, 12, tzinfo=UTC)] * 2 == [naive, offset]
    assert naive is not None
    assert UTC is naive.tzinfo


def test_staged_tokens_without_an_access_token_are_not_carried() -> None:
    """What lacks an access token or its time of issue is no received token set, and says so."""
    staged: TokenDocument = read_document(text())

    with pytest.raises(InvalidSecretDocument, match=r"^staged tokens lack an access token or the time of issue$"):
        staged.carried(onto=document())


def test_secrets_are_told_apart_in_a_set() -> None:
    """Equal secrets have equal hashes, and others rarely do."""
    assert hash(SecretValue("one")) == hash(SecretValue("one"))
    assert hash(SecretValue("one")) != hash(SecretValue("two"))
