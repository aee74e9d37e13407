"""Claims, records and refused tokens: what the protocol stores beside the token sets. None shows a token."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object, write_object
from token_refresh.stored.times import read_unix
from token_refresh_worker.core.attempts import NO_TOKEN, Attempt, Fate, Ledger
from token_refresh_worker.core.versions import staged_version_id
from token_refresh_worker.stored.origin import (
    DAMAGED,
    FINGERPRINT,
    HIGHEST_NUMBER,
    HOST,
    LONGEST_GRACE,
    StoreName,
    check_form,
    if_readable,
    matching,
    read_store_name,
)

LONGEST_TIME_TO_LIVE: Final = timedelta(hours=1)

CLAIM_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
"""A claim's ID, or a version's."""
LONGEST_PAUSE: Final = timedelta(days=7)
"""Nothing that is stored as a pause holds back refreshes for longer."""
LONGEST_REASON: Final = 200
"""How many characters of a pause's reason are kept."""

# Silence is the lack of a record, and neither a move nor a pause is an attempt.
_RECORDED: Final = {fate.value: fate for fate in Fate if fate.is_attempt and fate is not Fate.NO_RESULT}
_ERROR: Final = re.compile(r"[\x20-\x7e]{1,64}")
"""RFC 6749 allows spaces in error codes, and some providers send sentences."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClaimPause:
    """What an operator decided: runs send nothing before `until`."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Claim(Attempt):
    """One run's exclusive right to redeem the refresh token of one version."""

    time_to_live: timedelta
    earlier: tuple[Attempt, ...]
    """Attempts before it that still matter, oldest first."""
    number: int
    """Higher than that of the claim before it."""
    host: str | None = None
    grace: timedelta | None = None
    """Host and grace that counted; None if nothing readable says it."""
    nonce: str = ""
    """Random, so that equal claims of two runs are not taken for one. Empty where no claim can be read."""
    moved_to: StoreName | None = None
    """Nobody redeems under this claim: from here on the claims are in this store."""
    pause: ClaimPause | None = None
    """It holds back the next claim. Nobody redeems under the claim that began it; `revoke` carries it on."""

    @property
    def ends_at(self) -> datetime:
        """When it ends by itself."""
        return self.claimed_at + self.time_to_live

    @property
    def ledger(self) -> Ledger:
        """The attempts that it knows, itself last."""
        return Ledger((*self.earlier, self))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Record:
    """How an attempt ended: without tokens, or with tokens that reads don't show at once."""

    fate: Fate
    error: str | None = None
    """The provider's RFC 6749 error code, if it sent one."""
    retry_at: datetime | None = None
    """Until when the provider asked to wait (`Retry-After`)."""
    next_fingerprint: str | None = None
    """The fingerprint of the refresh token that is stored; None if none is."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeptTokens:
    """Received tokens that Secrets Manager refused: the claim table keeps them, encrypted, until it takes them."""

    claim: Claim
    """The claim that the tokens were received under: the item's own."""
    stored: object
    """The attribute as it was read: a write that depends on it names it whole. Only ciphertext."""

    @property
    def version_id(self) -> str:
        """The version ID under which the tokens belong into the secret."""
        return staged_version_id(self.claim.claim_id, self.claim.version_id)


def write_claim(claim: Claim) -> SecretValue:
    """Serialise a claim."""
    return write_object(
        {
            "version_id": claim.version_id,
            "attempt": claim.attempt_number,
            "ttl_seconds": claim.time_to_live.total_seconds(),
            "nonce": claim.nonce,
            "earlier": [_entry(attempt) for attempt in claim.earlier],
            "number": claim.number,
            "token": claim.fingerprint,
            "host": claim.host,
            "grace_seconds": None if claim.grace is None else claim.grace.total_seconds(),
            "forced": claim.forced,
            "versions": claim.versions,
            **({} if claim.moved_to is None else {"moved_to": claim.moved_to.as_fields()}),
            **({} if claim.pause is None else {"pause": [claim.pause.until.timestamp(), claim.pause.why]}),
        }
    )


def read_claim(claim_id: str, text: SecretValue, claimed_at: datetime) -> Claim | None:
    """Parse a stored claim of any release; None if it is none.

    Unknown members are ignored; those that a later release adds have a default.

    Raises:
        ConfigurationError: A later release stored it, in a form that must not be misread.
    """
    try:
        fields: Mapping[str, Any] = read_object(text)
        check_form(fields)
        # Out of range it is cut, not refused: what is unreadable counts as an hour on the current token.
        seconds = min(max(_number(fields["ttl_seconds"]), 1.0), LONGEST_TIME_TO_LIVE.total_seconds())
        moved_to = read_store_name(fields["moved_to"]) if "moved_to" in fields else None
        pause = _read_pause(fields["pause"], claimed_at) if "pause" in fields else None
        return Claim(
            claim_id=matching(CLAIM_ID, claim_id),
            version_id=matching(CLAIM_ID, fields["version_id"]),
            attempt_number=_clamped(fields["attempt"]),
            claimed_at=claimed_at,
            fingerprint=matching(FINGERPRINT, fields["token"]),
            forced=fields.get("forced") is True,
            time_to_live=timedelta(seconds=seconds),
            earlier=tuple(_read_entry(entry) for entry in fields["earlier"]),
            number=_clamped(fields["number"]),
            host=_optional(HOST, fields.get("host")),
            grace=None if fields.get("grace_seconds") is None else _grace(fields["grace_seconds"]),
            nonce=str(fields["nonce"]),
            fate=Fate.MOVED if moved_to else Fate.PAUSED if pause and fields["token"] == NO_TOKEN else Fate.NO_RESULT,
            versions=_clamped(fields["versions"]),
            moved_to=moved_to,
            pause=pause,
        )
    except DAMAGED:
        return None


def unreadable_claim(claim_id: str, created_at: datetime) -> Claim:
    """Return what something unreadable in a claim's place counts as: a claim of an hour, and nobody knows on what."""
    return Claim(
        claim_id=claim_id,
        version_id=claim_id,
        attempt_number=1,
        claimed_at=created_at,
        fingerprint=NO_TOKEN,
        time_to_live=LONGEST_TIME_TO_LIVE,
        earlier=(),
        number=0,
    )


def write_record(record: Record) -> SecretValue:
    """Serialise a record."""
    fields = {
        "outcome": record.fate.value,
        "error": record.error,
        "retry_at": _seconds(record.retry_at),
        "next": record.next_fingerprint,
    }
    return write_object({name: value for name, value in fields.items() if value is not None})


def read_record(text: SecretValue) -> Record | None:
    """Parse a stored record of any release; None if it is none: an unreadable one must not end an open claim."""
    try:
        fields: Mapping[str, Any] = read_object(text)
        fate = _RECORDED[fields["outcome"]]
        return Record(
            fate=fate,
            # For people alone: `history` prints it.
            error=if_readable(partial(matching, _ERROR), fields.get("error")),
            retry_at=if_readable(_moment, fields.get("retry_at")),
            # Without it a used token would count as good.
            next_fingerprint=matching(FINGERPRINT, fields["next"]) if fate is Fate.STORED else None,
        )
    except DAMAGED:
        return None


def _entry(attempt: Attempt) -> list[object]:
    return [
        *(attempt.claim_id, attempt.version_id, attempt.attempt_number, attempt.claimed_at.timestamp()),
        *(attempt.fingerprint, attempt.fate.value, attempt.next_fingerprint),
        *(attempt.forced, attempt.versions, _seconds(attempt.retry_at)),
    ]


def _read_pause(value: Sequence[Any], claimed_at: datetime) -> ClaimPause:
    until, why, *_ = value
    return ClaimPause(until=min(_moment(until), claimed_at + LONGEST_PAUSE), why=str(why)[:LONGEST_REASON])


def _read_entry(entry: Sequence[Any]) -> Attempt:
    # A later release adds members at the end.
    claim_id, version_id, number, claimed_at, fingerprint, fate, *more = entry
    next_fingerprint, forced, versions, retry_at, *_ = more
    return Attempt(
        claim_id=matching(CLAIM_ID, claim_id),
        version_id=matching(CLAIM_ID, version_id),
        attempt_number=_clamped(number),
        claimed_at=_moment(claimed_at),
        fingerprint=matching(FINGERPRINT, fingerprint),
        fate=if_readable(Fate, fate) or Fate.UNKNOWN,
        next_fingerprint=_optional(FINGERPRINT, next_fingerprint),
        forced=forced is True,
        versions=_clamped(versions),
        retry_at=if_readable(_moment, retry_at),
    )


def _optional(pattern: re.Pattern[str], value: object) -> str | None:
    return None if value is None else matching(pattern, value)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(value: object) -> datetime:
    return read_unix(_number(value))


def _number(value: object) -> float:
    # In Python a bool is an int; in JSON it is not a number.
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    return float(value)


def _clamped(value: object) -> int:
    return int(min(max(_number(value), 0), HIGHEST_NUMBER))


def _grace(value: object) -> timedelta:
    return timedelta(seconds=min(max(_number(value), 0), LONGEST_GRACE.total_seconds()))
