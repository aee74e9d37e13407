"""Claims and records: what the protocol stores beside the token sets. Neither holds a token."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimEntry:
    """One claim as its successors list it."""

    claim_id: str
    """The claim's own version ID."""
    version_id: str
    """The version whose refresh token it gave the right to redeem."""
    attempt: int
    """Which attempt on that version, from 1."""
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(ClaimEntry):
    """One run's exclusive right to redeem the refresh token of one version."""

    time_to_live: timedelta
    earlier: tuple[ClaimEntry, ...]
    """Claims before it that still matter, oldest first."""

    @property
    def ends_at(self) -> datetime:
        """When it ends by itself, where neither staged tokens nor a record ended it before."""
        return self.claimed_at + self.time_to_live

    @property
    def chain(self) -> tuple[ClaimEntry, ...]:
        """The claims that are known, oldest first, this one last."""
        return (*self.earlier, self)


class Redemption(StrEnum):
    """What became of the refresh token in an attempt that ended without tokens."""

    NOT_REDEEMED = "not_redeemed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How an attempt ended that brought no tokens."""

    redemption: Redemption
    error: str | None
    """The provider's RFC 6749 error code, where it sent one."""
    recorded_at: datetime


def write_claim(claim: Claim, nonce: str) -> SecretValue:
    """Serialise a claim; the nonce makes two runs' claims differ, so that the second is refused and not a repeat."""
    return _dump(
        {
            "version_id": claim.version_id,
            "attempt": claim.attempt,
            "ttl_seconds": claim.time_to_live.total_seconds(),
            "nonce": nonce,
            "earlier": [[e.claim_id, e.version_id, e.attempt, e.claimed_at.timestamp()] for e in claim.earlier],
        }
    )


def read_claim(claim_id: str, text: SecretValue, claimed_at: datetime) -> Claim:
    """Parse a stored claim; its time is the service's own `CreatedDate`.

    Raises:
        InvalidSecretDocument: The version is not a claim.
    """
    fields = read_object(text)
    try:
        return Claim(
            claim_id=claim_id,
            version_id=_text(fields, "version_id"),
            attempt=int(_number(fields, "attempt")),
            claimed_at=claimed_at,
            time_to_live=timedelta(seconds=_number(fields, "ttl_seconds")),
            earlier=tuple(_read_entry(*entry) for entry in fields["earlier"]),  # type: ignore[attr-defined]  # checked by the except below
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidSecretDocument(
            f"version {claim_id} is labelled REFRESH_CLAIM and is not a claim; "
            "put the label back on the newest claim, or take it off with update-secret-version-stage"
        ) from None


def write_record(record: Record, claim: ClaimEntry) -> SecretValue:
    """Serialise the record of the attempt under `claim`."""
    return _dump(
        {
            "version_id": claim.version_id,
            "attempt": claim.attempt,
            "outcome": record.redemption.value,
            "error": record.error,
            "at": record.recorded_at.timestamp(),
        }
    )


def read_record(version_id: str, text: SecretValue) -> Record:
    """Parse a stored record.

    Raises:
        InvalidSecretDocument: The version is not a record.
    """
    fields = read_object(text)
    try:
        return Record(
            redemption=Redemption(_text(fields, "outcome")),
            error=None if fields["error"] is None else _text(fields, "error"),
            recorded_at=datetime.fromtimestamp(_number(fields, "at"), UTC),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidSecretDocument(f"version {version_id} should be the record of an attempt, and is not") from None


def _read_entry(claim_id: str, version_id: str, attempt: int, claimed_at: float) -> ClaimEntry:
    return ClaimEntry(
        claim_id=claim_id,
        version_id=version_id,
        attempt=attempt,
        claimed_at=datetime.fromtimestamp(claimed_at, UTC),
    )


def _dump(fields: Mapping[str, Any]) -> SecretValue:
    return SecretValue(json.dumps(fields, separators=(",", ":")))


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(fields: Mapping[str, object], key: str) -> float:
    value = fields[key]
    if not isinstance(value, int | float):
        raise TypeError
    return value
