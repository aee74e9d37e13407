"""Attempts to redeem a refresh token, and the ledger of them that every claim carries. No attempt holds a token."""

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from token_refresh.secret_value import SecretValue
from token_refresh.stored.times import EARLIEST_SECONDS, is_possible

DAY: Final = timedelta(hours=24)
"""Secrets Manager removes no version that is younger."""
CLOCK_ERROR: Final = timedelta(hours=1)
"""A time that is further ahead than this is from a wrong clock, or something else wrote it."""

# An entry has less than 200 bytes. With a full day of claims the ledger stays far below the 64 KiB of a value.
MOST_REDEMPTIONS: Final = 50
"""How many attempts that may have redeemed a token a ledger keeps, however old they are."""
NO_TOKEN: Final = "-" * 22
"""As long as a fingerprint, and the fingerprint of none."""
LONG_AGO: Final = datetime.fromtimestamp(EARLIEST_SECONDS, UTC)
"""The date of an attempt whose date can't be true: it is from the future."""


class Fate(StrEnum):
    """How one attempt ended: what became of the refresh token that it sent."""

    STORED = "stored"
    """It brought tokens, and they are stored."""
    NOT_REDEEMED = "not_redeemed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """A request may have been received, and no tokens arrived."""
    NO_RESULT = "silent"
    """Nothing is stored: the run is under way, or it died."""
    MOVED = "moved"
    """No attempt: the claims were moved to or from another store."""
    PAUSED = "paused"
    """No attempt: an operator paused the refreshes, or resumed them."""
    UNREAD = "response_kept"
    """A response arrived that can't be read and may hold tokens: it is stored, for a person to recover them."""

    @property
    def is_attempt(self) -> bool:
        """Whether a run held the claim."""
        return self not in {Fate.MOVED, Fate.PAUSED}

    @property
    def unresolved(self) -> bool:
        """Whether nobody knows if the refresh token was redeemed."""
        return self in {Fate.UNKNOWN, Fate.UNREAD, Fate.NO_RESULT}

    @property
    def may_have_redeemed(self) -> bool:
        """Whether a refresh token may have been used."""
        return self not in {Fate.NOT_REDEEMED, Fate.MOVED, Fate.PAUSED}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Attempt:
    """One attempt to redeem a refresh token, as later claims list it."""

    claim_id: str
    version_id: str
    """The version whose refresh token it redeems."""
    attempt_number: int
    """Which attempt on that version, from 1."""
    claimed_at: datetime
    fingerprint: str
    """The fingerprint of that refresh token."""
    fate: Fate = Fate.NO_RESULT
    next_fingerprint: str | None = None
    """The fingerprint of the refresh token that it brought."""
    forced: bool = False
    versions: int = 2
    """How many versions of the secret it takes: a claim that is one, and what follows it."""
    retry_at: datetime | None = None
    """Until when the provider asked to wait, or reads may miss stored tokens."""


@dataclass(frozen=True, slots=True, repr=False)
class Ledger:
    """The known attempts on one secret, oldest first, the newest claim last."""

    attempts: tuple[Attempt, ...] = ()

    def on_token(self, fingerprint: str) -> tuple[Attempt, ...]:
        """Return the attempts on a refresh token since it was last issued.

        A provider may return a refresh token that it issued before, or always the same one.
        """
        # The last time it was issued: the same text may have been issued, used, and issued again.
        issued = max((i for i, a in enumerate(self.attempts) if a.next_fingerprint == fingerprint), default=-1)
        return tuple(a for a in self.attempts[issued + 1 :] if a.fingerprint == fingerprint)

    def issued_again(self, fingerprint: str, issued_at: datetime) -> "Ledger":
        """Return the ledger as a consent sees it that brought a refresh token: earlier attempts were not on this one.

        A provider may return the very text that it issued before. An attempt in the second of the consent stays: times
        are in whole seconds, so it may have been the first one on the new token.
        """
        earlier = issued_at.replace(microsecond=0)
        return Ledger(
            tuple(
                replace(a, fingerprint=NO_TOKEN) if a.fingerprint == fingerprint and a.claimed_at < earlier else a
                for a in self.attempts
            )
        )

    def unresolved(self, fingerprint: str) -> tuple[Attempt, ...]:
        """Return the attempts that may have redeemed a token and stored none; the grace counts from the first."""
        return tuple(a for a in self.on_token(fingerprint) if a.fate.unresolved)

    def successor(self, fingerprint: str) -> Attempt | None:
        """Return the newest attempt in the chain of stored tokens that starts at a token; None if it was not used."""
        found: Attempt | None = None
        links = [a for a in self.on_token(fingerprint) if _stored(a)]
        while links:
            found = links[-1]
            # Only later attempts: a provider that returns an old token again would otherwise close a circle.
            later = self.attempts[self.attempts.index(found) + 1 :]
            links = [a for a in later if a.fingerprint == found.next_fingerprint and _stored(a)]
        return found

    def for_next_claim(self, now: datetime, fingerprint: str) -> tuple[Attempt, ...]:
        """Return what the next claim carries on.

        Attempts of the last 24 hours count towards the daily limit. The last redemptions show which tokens were used.
        The grace period starts at the first unresolved attempt on the current token.
        """
        redemptions = self._redemptions[-MOST_REDEMPTIONS:]
        first = self.unresolved(fingerprint)[:1]
        return tuple(a for a in self.attempts if a.claimed_at > now - DAY or a in redemptions or a in first)

    @property
    def _redemptions(self) -> list[Attempt]:
        return [a for a in self.attempts if a.fate.may_have_redeemed]

    def has_forgotten(self, fingerprint: str, issued_at: datetime) -> bool:
        """Whether a refresh token may have been redeemed without a trace.

        It was issued before all attempts that are known since the last gap, none of them names it, and older ones may
        have been forgotten. Or a later redemption was of a set that somebody saved, and nobody can read it any more: it
        may have been a copy.
        """
        known = self._redemptions
        if any(a.fingerprint == stand_in(a.version_id) and issued_at < a.claimed_at for a in known):
            return True
        places = [place for place, a in enumerate(self.attempts, 1) if a.next_fingerprint == NO_TOKEN]
        since = self.attempts[max(places, default=0) :]
        named = any(fingerprint in {a.fingerprint, a.next_fingerprint} for a in since)
        older = all(a.claimed_at == LONG_AGO or issued_at < a.claimed_at for a in since if a.fate.may_have_redeemed)
        return (len(known) >= MOST_REDEMPTIONS or bool(places)) and not named and older

    def room_at(self, limit: int, now: datetime) -> datetime:
        """Say when the attempts of the last 24 hours take at most `limit` versions; `now` if they do already."""
        for attempt in sorted(self.attempts, key=lambda a: a.claimed_at, reverse=True):
            limit -= attempt.versions
            if limit < 0:
                return max(now, attempt.claimed_at + DAY)
        return now

    def forced_again_at(self, limit: int, now: datetime) -> datetime:
        """Say when another claim may be forced; `now` if it may already."""
        forced = [a.claimed_at for a in self.attempts if a.claimed_at > now - DAY and a.forced]
        return now if len(forced) < limit else sorted(forced)[-limit] + DAY


def dated(attempt: Attempt, now: datetime) -> Attempt:
    """Return an attempt that waits for no date in the future: a clock was off, or something else wrote it.

    What became of its token still counts: a used token is used. It only happened at a time that nobody knows.
    """
    if not is_possible(attempt.claimed_at, latest=now):
        return replace(attempt, claimed_at=LONG_AGO, retry_at=None)
    return replace(attempt, retry_at=believed_wait(attempt.retry_at, attempt.claimed_at))


def believed_wait(retry_at: datetime | None, claimed_at: datetime) -> datetime | None:
    """Return until when the provider asked to wait after an attempt; None if it is longer than any run stores."""
    latest = claimed_at + DAY + CLOCK_ERROR
    return retry_at if retry_at is not None and is_possible(retry_at, latest=latest) else None


def missing_attempts(claim_id: str) -> Attempt:
    """Return the mark of a ledger that lacks attempts before the ones that follow: nobody knows what they redeemed."""
    return Attempt(
        claim_id=claim_id,
        version_id=claim_id,
        attempt_number=1,
        claimed_at=LONG_AGO,
        fingerprint=NO_TOKEN,
        fate=Fate.STORED,
        next_fingerprint=NO_TOKEN,
        versions=0,
    )


def stand_in(version_id: str) -> str:
    """Return what stands for the fingerprint of a token that can't be read: of a version, or brought by a claim."""
    digest = hashlib.sha256(b"token-refresh/locked\n" + version_id.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[: len(NO_TOKEN)]


def fingerprint_of(token: SecretValue) -> str:
    """Hash a refresh token for claims; the fingerprint is stored and never logged."""
    # Without a salt, since each run must get the same text. A token is random, so nobody can guess it from the hash.
    digest = hashlib.sha256(b"token-refresh/2\n" + token.reveal().encode()).digest()
    # 22 characters are 132 bits: two tokens never look alike by accident.
    return base64.urlsafe_b64encode(digest).decode()[:22]


def _stored(attempt: Attempt) -> bool:
    return attempt.fate is Fate.STORED and attempt.next_fingerprint is not None
