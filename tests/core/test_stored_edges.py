"""What is stored is a format: later releases read it, and runs of two releases may meet on one secret."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from builders import NOW, attempt, claim, document, fields, mark
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Record, write_claim, write_record
from token_refresh_worker.core.versions import (
    claim_version_id,
    published_version_id,
    record_version_id,
    staged_version_id,
)
from token_refresh_worker.stored.document import read_document
from token_refresh_worker.stored.published import published_document


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


def test_a_record_is_stored_in_this_form() -> None:
    """A record names the version, the attempt, what became of the refresh token, the provider's code, and when."""
    record = Record(fate=Fate.REJECTED, error="invalid_grant", recorded_at=NOW)
    stored = write_record(record, attempt("c1", version_id="v7", number=3))

    at = NOW.timestamp()
    assert (
        f'{{"version_id":"v7","attempt":3,"outcome":"rejected","error":"invalid_grant","at":{at}}}' == stored.reveal()
    )


def test_a_claim_is_stored_in_this_form() -> None:
    """A claim names the version, the attempt, its time to live, its nonce, and the claims before it."""
    before = attempt("c0", brought="refresh-1")

    stored = write_claim(claim("c1", version_id="v7", number=2, claim_number=9, earlier=(before,)))

    at = before.claimed_at.timestamp()
    assert (
        '{"version_id":"v7","attempt":2,"ttl_seconds":120.0,"nonce":"nonce",'
        f'"earlier":[["c0","v0",1,{at}]],"fates":[["{mark("refresh-0")}","stored","{mark("refresh-1")}",false]],'
        f'"number":9,"token":"{mark("refresh-0")}","host":"provider.example","grace_seconds":86400.0,"forced":false}}'
        == stored.reveal()
    )


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


def test_equal_secrets_have_equal_hashes() -> None:
    """Equal secrets have equal hashes, and different ones rarely do."""
    assert hash(SecretValue("one")) == hash(SecretValue("one"))
    assert hash(SecretValue("one")) != hash(SecretValue("two"))
