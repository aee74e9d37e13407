"""What today's code stores, with a value in every member: `scripts/stored-formats` keeps it as its release's test data.

A later release reads the same from it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from testbed.builders import document
from testbed.dynamodb.expressions import updated
from testbed.fakes import FakeClock
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import AccessToken, read_access_token
from token_refresh_worker.adapters.kept_tokens import TableKeeper
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.core.attempts import Attempt, Fate, fingerprint_of
from token_refresh_worker.core.claims import (
    Claim,
    ClaimPause,
    KeptTokens,
    Record,
    read_claim,
    read_record,
    write_claim,
    write_record,
)
from token_refresh_worker.core.versions import (
    claim_version_id,
    moved_version_id,
    published_version_id,
    record_version_id,
    response_version_id,
    revoked_version_id,
    staged_version_id,
)
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.aws.items import read_pauses, read_row, read_tombstone, write_row
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.row import Change, LastRequest, LastRun, Pause, Pauses, Row, State
from token_refresh_worker.oauth.unread import read_unread, write_unread
from token_refresh_worker.run.outcome import CurrentTokens
from token_refresh_worker.run.ports import Deadline
from token_refresh_worker.stored.document import read_document
from token_refresh_worker.stored.origin import Asked, ForeignSets, Origin, in_table
from token_refresh_worker.stored.published import published_document

AT: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)
_CLAIM: Final = claim_version_id(None)
_BASE: Final = "0b0ba5e5-0000-4000-8000-000000000000"
_RESPONSE: Final = b"HTTP/1.1 200 OK\r\n\r\nmade-up"
_KEY: Final = "arn:aws:kms:eu-central-1:123456789012:key/0b0ba5e5-0000-4000-8000-000000000001"
_PAUSE: Final = Pause(at=AT - _HOUR, until=AT + _HOUR, by="ada", why="maintenance")
_ARN: Final = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokens-AbCdEf"


Read = Callable[[Any], Any]

READERS: Final[Mapping[str, Read]] = {
    "claim": lambda it: read_claim(_CLAIM, SecretValue(it), AT),
    "record": lambda it: read_record(SecretValue(it)),
    "document": lambda it: read_document(SecretValue(it), needs_refresh_token=True),
    "published copy": lambda it: read_access_token(SecretValue(it), "it"),
    "row": lambda it: read_row(it, AT),
    "kept response": lambda it: read_unread(SecretValue(it)),
    "kept tokens": lambda it: _opened(it).reveal(),
    "tombstone": read_tombstone,
    "fleet pauses": read_pauses,
    "derived": lambda it: it,
}
"""How each kind of form is read."""


def samples() -> Iterator[tuple[str, str, Any, Any]]:
    """Yield everything that this code stores: its kind, a name, what it is, and how it is stored."""
    for name, claim in _claims().items():
        yield "claim", name, claim, write_claim(claim).reveal()
    for record in _records():
        yield "record", record.fate.value, record, write_record(record).reveal()
    tokens = _document()
    revoked = tokens.revoked(replace(_origin(), revoked_at=AT))
    yield "document", "tokens", tokens, tokens.serialize().reveal()
    yield "document", "revoked", revoked, revoked.serialize().reveal()
    for name, row in _rows().items():
        yield "row", name, row, write_row(row, "prod")
    extra = {"instance_url": "https://tenant.example"}
    copy = AccessToken(value=SecretValue("access-made-up"), expires_at=AT + _HOUR, extra=extra)
    yield "published copy", "tokens", copy, published_document(tokens, _BASE).reveal()
    yield "published copy", "revoked", None, published_document(revoked, _BASE).reveal()
    yield "kept response", "response", _RESPONSE, write_unread(_RESPONSE).reveal()
    # Longer than what KMS encrypts at once: the place of each piece is bound to it.
    kept = document(note="x" * 5000).serialize().reveal()
    yield "kept tokens", "in two pieces", kept, _kept(SecretValue(kept))
    stone = Tombstone(secret_arn=_ARN, provider="upwork", left_at=AT, quietly=True)
    yield "tombstone", "left", stone, _left()
    pauses = Pauses(fleet=_PAUSE, providers={"upwork": _PAUSE})
    yield "fleet pauses", "of both kinds", pauses, _paused()
    for name, derived in _derived().items():
        yield "derived", name, derived, derived


class _Services:
    """DynamoDB with one item, whose updates are carried out, and KMS, whose ciphertext shows what it is bound to."""

    meta = SimpleNamespace(region_name="eu-central-1")

    def __init__(self, item: Any = None) -> None:
        self.item = item

    def update_item(self, **request: Any) -> dict[str, Any]:
        self.item = updated(self.item, request)
        return {"Attributes": self.item}

    def encrypt(self, **asked: Any) -> dict[str, Any]:
        bound = [asked["KeyId"], asked["EncryptionContext"], asked["Plaintext"].decode()]
        return {"CiphertextBlob": json.dumps(bound).encode()}

    def decrypt(self, **asked: Any) -> dict[str, Any]:
        key, context, text = json.loads(asked["CiphertextBlob"])
        assert (key, context) == (asked["KeyId"], asked["EncryptionContext"])
        return {"Plaintext": text.encode()}


def _keeper(services: Any) -> TableKeeper:
    deadline = Deadline(clock=FakeClock(), at=60)
    claims = TableClaims(services, "claims", lambda: _ARN, deadline)
    return TableKeeper(claims, _KEY, lambda *_, **__: services, deadline)


def _kept(tokens: SecretValue) -> Any:
    services, claim = _Services(), _claims()["first"]
    claims = TableClaims(services, "claims", lambda: _ARN, Deadline(clock=FakeClock(), at=60))  # type: ignore[arg-type]
    assert claims.append(claim, after=None)
    assert _keeper(services).keep(claim, tokens) is not None
    return [piece["B"].decode() for piece in services.item["kept_tokens"]["L"]]


def _opened(pieces: list[str]) -> SecretValue:
    stored = {"L": [{"B": piece.encode()} for piece in pieces]}
    return _keeper(_Services()).open(KeptTokens(claim=_claims()["first"], stored=stored))


def _left() -> Any:
    services = _Services(write_row(_rows()["added"], "prod"))
    assert TableIndex(services, "fleet", "prod").remove(_ARN, AT, quietly=True)  # type: ignore[arg-type]
    return services.item


def _paused() -> Any:
    services = _Services()
    index = TableIndex(services, "fleet", "prod")  # type: ignore[arg-type]
    assert index.pause(_PAUSE)
    assert index.pause(_PAUSE, provider="upwork")
    return services.item


def _derived() -> dict[str, str]:
    return {
        "fingerprint": fingerprint_of(SecretValue("made-up")),
        "first claim": claim_version_id(None),
        "next claim": claim_version_id(_CLAIM),
        "staged tokens": staged_version_id(_CLAIM, _BASE),
        "record": record_version_id(_CLAIM),
        "kept response": response_version_id(_CLAIM),
        "published copy": published_version_id(_BASE),
        "moved document": moved_version_id(_CLAIM, _BASE),
        "revoked document": revoked_version_id(_CLAIM, _BASE),
    }


def _attempts() -> tuple[Attempt, ...]:
    one = Attempt(
        claim_id=_CLAIM,
        version_id=_BASE,
        attempt_number=2,
        claimed_at=AT - _HOUR,
        fingerprint=fingerprint_of(SecretValue("first")),
        next_fingerprint=fingerprint_of(SecretValue("second")),
        forced=True,
        versions=1,
        retry_at=AT + _HOUR,
    )
    return tuple(replace(one, fate=fate) for fate in Fate)


def _claims() -> dict[str, Claim]:
    whole = Claim(
        claim_id=_CLAIM,
        version_id=_BASE,
        attempt_number=3,
        claimed_at=AT,
        fingerprint=fingerprint_of(SecretValue("second")),
        forced=True,
        versions=1,
        time_to_live=timedelta(minutes=10),
        earlier=_attempts(),
        number=41,
        host="provider.example",
        grace=timedelta(days=1),
        nonce="0123456789abcdef",
    )
    return {
        "whole": whole,
        "first": replace(whole, forced=False, versions=2, earlier=(), host=None, grace=None),
        "with a pause": replace(whole, pause=ClaimPause(until=AT + _HOUR, why="maintenance")),
        "moved": replace(whole, moved_to=in_table("claims"), fate=Fate.MOVED),
    }


def _records() -> tuple[Record, ...]:
    whole = Record(fate=Fate.REJECTED, error="invalid_grant", retry_at=AT + _HOUR)
    mark = fingerprint_of(SecretValue("second"))
    recorded = (fate for fate in Fate if fate.is_attempt and fate is not Fate.NO_RESULT)
    return tuple(replace(whole, fate=fate, next_fingerprint=mark if fate is Fate.STORED else None) for fate in recorded)


def _document() -> Any:
    return document().renewed(
        access_token=SecretValue("access-made-up"),
        refresh_token=SecretValue("refresh-made-up"),
        lifetime=_HOUR,
        issued_at=AT,
        extra={"instance_url": "https://tenant.example"},
        origin=_origin(),
    )


def _origin() -> Origin:
    return Origin(
        host="provider.example",
        grace=timedelta(days=1),
        claim_store=in_table("claims"),
        claim_id=_CLAIM,
        number=41,
        authorized=True,
        grant_ends_at=AT + 90 * 24 * _HOUR,
        grant_began_at=AT - _HOUR,
        scopes=("read", "write"),
        scopes_lost=("admin",),
        token=fingerprint_of(SecretValue("refresh-made-up")),
        foreign=ForeignSets(count=2, version_id=_BASE, stored_at=AT - _HOUR),
        extra_names=("instance_url",),
        lifetime=24 * _HOUR,
        asked=Asked(left=8 * _HOUR, at=AT - _HOUR),
    )


def _rows() -> dict[str, Row]:
    seen = LastRun(
        at=AT - _HOUR,
        state=State.HELD,
        since=AT - 2 * _HOUR,
        outcome="yielded",
        error_type="RefreshOutcomeUnknown",
        requests=1,
        failures=2,
        succeeded_at=AT - 9 * _HOUR,
        tokens=CurrentTokens(
            version_id=_BASE,
            expires_at=AT + 8 * _HOUR,
            due_at=AT,
            last_quarter_at=AT + 6 * _HOUR,
            grant_ends_at=AT + 90 * 24 * _HOUR,
            grant_ending_at=AT + 83 * 24 * _HOUR,
        ),
        rejected=True,
        ending=True,
        host="provider.example",
        refused_at=AT - _HOUR,
        sent=LastRequest(at=AT - _HOUR, host="provider.example", error_type="RefreshOutcomeUnknown", failures=2),
    )
    added = Row(secret_arn=_ARN, provider="upwork", added_at=AT - 50 * _HOUR, next_at=AT)
    whole = replace(
        added,
        seen=seen,
        pause=_PAUSE,
        unsent=frozenset({Change(transition=next(iter(Transition)), since=AT - _HOUR, found_at=AT)}),
    )
    return {"added": added, "seen": whole}
