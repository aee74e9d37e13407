"""Read what is stored, in the protocol's order: published copy, current version, newest claim, what is under claims.

Reads are separate calls, and each can return old data:

1. The published copy, so that an old read of the current version never replaces a newer copy.
2. The current version, because it gives the ARN that is the claim table's key.
3. The newest claim. If a table's claim is older than the current version, the table was lost.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from token_refresh.errors import ConfigurationError, InvalidSecretDocument, SecretAccessDenied, SecretStoreError
from token_refresh_worker.core.attempts import (
    CLOCK_ERROR,
    Attempt,
    Fate,
    Ledger,
    believed_wait,
    dated,
    fingerprint_of,
    stand_in,
)
from token_refresh_worker.core.claims import Claim, Record
from token_refresh_worker.core.living import is_dead, may_live, notes_of, replaced_since, unused_of
from token_refresh_worker.core.locked import VersionEntry, translated
from token_refresh_worker.core.plan import shown_at
from token_refresh_worker.core.schedule import SETTLED, believed
from token_refresh_worker.core.snapshot import LivingSet, PublishedCopy, Snapshot, TokenSet
from token_refresh_worker.core.versions import CLAIM, CURRENT, is_redirect_note, response_version_id, staged_version_id
from token_refresh_worker.run.failures import grant_revoked, no_value, published_itself, unreadable_document
from token_refresh_worker.run.locked_versions import newest_locked_claim
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import IgnoreKmsRefusals, NewestClaim, RunDependencies, SecretVersion
from token_refresh_worker.stored.document import read_document
from token_refresh_worker.stored.origin import ClaimStoreKind, checked_form
from token_refresh_worker.stored.published import read_published

PENDING: Final = "AWSPENDING"
"""Of a rotation that something else has begun: no version under it was current."""
OTHERS_READ: Final = 10
"""How many versions that no claim names are read, where the current tokens are dead."""
_BEGINNING: Final = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class SnapshotReader:
    """Reads one token secret, its claims and its published copy."""

    parts: RunDependencies
    memory: Memory
    _now: datetime = _BEGINNING
    _sets: dict[str, TokenSet] = field(default_factory=dict)
    """Staged sets that this round of reads has found."""
    _locked: set[str] = field(default_factory=set)
    """The claims whose staged sets KMS refuses to decrypt."""

    def read(self) -> Snapshot:
        """Read everything that the next step depends on."""
        self._now, self._sets, self._locked = _BEGINNING, {}, set()
        copy = self._published_copy()
        current = self._current(copy)
        found = self.parts.claims.newest()
        self._note_time(found.read_at)
        newest = self._newest_claim(found, current)
        snapshot = Snapshot(
            now=self._now,
            current=current,
            newest=newest,
            ledger=self._resolved(self._ledger_of(newest, current), newest, current) if newest else Ledger(),
            published=_as_copy(copy),
            kept_tokens=found.kept_tokens,
            # A document that no run has written does not say where its claims are.
            claims_in_versions=newest is None
            and current.document.origin is None
            and self.parts.policy.claim_store.kind is ClaimStoreKind.TABLE
            and self._is_there(label=CLAIM),
        )
        return self.memory.note_read(self._judged(self._followed(snapshot)))

    def _followed(self, snapshot: Snapshot) -> Snapshot:
        """Read the tokens that follow from the current ones."""
        stored = snapshot.stored_attempt
        successor = self._staged_under(stored) if stored else None
        locked = successor is None and stored is not None and stored.claim_id in self._locked
        return replace(snapshot, now=self._now, successor=successor, locked=locked)

    def _judged(self, snapshot: Snapshot) -> Snapshot:
        """Look for a living set where the current tokens lead to dead ones: somebody may have put those back."""
        policy, limit = self.parts.policy, self.memory.limit
        if snapshot.newest is None or not is_dead(snapshot, policy, limit):
            return snapshot
        # An attempt on another token may have brought the living set, or have been rejected.
        ledger = self._resolved(snapshot.ledger, snapshot.newest, snapshot.current, every=True)
        snapshot = self._followed(replace(snapshot, ledger=ledger))
        if not is_dead(snapshot, policy, limit):
            return snapshot
        self.memory.locked_set = None
        living = max(self._living(snapshot), key=lambda found: (not found.is_foreign, found.stored_at), default=None)
        return replace(snapshot, is_dead=True, living=living, now=self._now)

    def _living(self, snapshot: Snapshot) -> Iterator[LivingSet]:
        """Find sets that the dead one replaced, and of which nothing says that they are dead."""
        since, ledger = replaced_since(snapshot), snapshot.ledger
        for attempt in unused_of(ledger, since):
            staged, version_id = self._staged_under(attempt), staged_version_id(attempt.claim_id, attempt.version_id)
            if staged is not None:
                if self._may_live(self._beside(staged, snapshot)):
                    yield LivingSet(version_id=version_id, stored_at=staged.stored_at)
            elif attempt.claim_id in self._locked:
                yield LivingSet(version_id=version_id, stored_at=attempt.claimed_at, locked=True)
            elif self._now < shown_at(attempt, self.memory.limit):
                yield LivingSet(version_id=version_id, stored_at=shown_at(attempt, self.memory.limit) - SETTLED)
        listed: tuple[VersionEntry, ...] = ()
        with suppress(SecretAccessDenied):
            listed = self.parts.store.versions()
        known = notes_of(ledger) | {snapshot.current.version_id}
        others = [v for v in listed if v.created_at >= since and v.version_id not in known and PENDING not in v.labels]
        for version in sorted(others, key=lambda v: v.created_at)[-OTHERS_READ:]:
            is_locked = True
            with IgnoreKmsRefusals(), suppress(InvalidSecretDocument, ConfigurationError):
                found, is_locked = self._read(version_id=version.version_id), False
                if found is None:
                    continue
                beside = self._beside(self._token_set(found), snapshot)
                if self._may_live(beside):
                    stored_at, is_foreign = version.created_at, beside.is_foreign
                    yield LivingSet(version_id=version.version_id, stored_at=stored_at, is_foreign=is_foreign)
            if is_locked:
                self.memory.locked_set = version

    def _beside(self, other: TokenSet, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with another set as the current one."""
        # Of claims that KMS refuses, each document reveals the fingerprint of its own token alone.
        ledger = translated(snapshot.ledger, other)
        return replace(snapshot, current=other, ledger=ledger, successor=None, locked=False)

    def _may_live(self, beside: Snapshot) -> bool:
        return may_live(beside, self.parts.policy_for(beside.current.document))

    def claim_named(self, claim_id: str, number: int, previous: Claim | None, current: TokenSet) -> Claim | None:
        """Read a claim that is known by its ID and number; None if it can't be read yet."""
        try:
            found = self.parts.claims.find(claim_id)
        except SecretAccessDenied as refused:
            found = self._rebuilt(refused, current, claim_id)
        return None if found is None else self._counted(found, number, previous, current)

    def _counted(self, found: Claim, number: int, previous: Claim | None, current: TokenSet) -> Claim:
        """Return the claim, numbered `number` or higher; an unreadable one may redeem the current token."""
        if not found.nonce:
            found = replace(
                found,
                version_id=current.version_id,
                fingerprint=fingerprint_of(current.document.redeemed_token),
                earlier=previous.ledger.attempts if previous else (),
                host=previous.host if previous else None,
                grace=previous.grace if previous else None,
            )
        return replace(found, number=max(found.number, number))

    def _published_copy(self) -> SecretVersion | None:
        if self.parts.published is None or self.memory.publish_failure is not None:
            return None
        try:
            return self.parts.published.read(label=CURRENT)
        except SecretStoreError as failure:
            # The refresh goes on; the run raises this at its end.
            self.memory.stop_publishing(failure)
            self.memory.copy_unread = True
            return None

    def _current(self, copy: SecretVersion | None) -> TokenSet:
        version = self._read(label=CURRENT)
        if version is None or is_redirect_note(version.value):
            raise no_value(self.parts.secret)
        if copy is not None and version.arn == copy.arn:
            raise published_itself(self.parts.secret)
        try:
            current = self._token_set(version)
        except InvalidSecretDocument as error:
            raise unreadable_document(self.parts.secret, version.version_id, error) from None
        if current.document.revoked_at is not None:
            raise grant_revoked(self.parts.secret, current.document.revoked_at)
        return current

    def _rebuilt(self, refused: SecretAccessDenied, current: TokenSet, claim_id: str | None = None) -> Claim | None:
        if not refused.by_key:
            raise refused
        return newest_locked_claim(self.parts, self.memory, current, claim_id, token_set=self._token_set, now=self._now)

    def _newest_claim(self, stored: NewestClaim, current: TokenSet) -> Claim | None:
        """Find the claim with the highest number: by the store, by this run's memory, or named by the document."""
        found = stored.claim if stored.locked is None else self._rebuilt(stored.locked, current)
        origin = current.document.origin
        if found is not None and not found.nonce:  # Of a table: it has one claim, and that follows the document's.
            found = self._counted(found, (origin.number if origin else 0) + 1, self.memory.newest_claim, current)
        known = [claim for claim in (found, self.memory.newest_claim) if claim]
        # The label may be stale, and people can move it; the number of a claim only grows.
        newest = max(known, key=lambda claim: claim.number, default=None)
        named = Snapshot(now=self._now, current=current, newest=newest).missing_claim_id
        if named is None or self.parts.policy.claim_store.kind is ClaimStoreKind.TABLE:
            return newest
        assert current.document.origin is not None  # noqa: S101 - it names the claim
        return self.claim_named(named, current.document.origin.number, newest, current) or newest

    def _is_there(self, version_id: str | None = None, *, label: str | None = None) -> bool:
        """Whether there is a version, readable or not."""
        with IgnoreKmsRefusals():
            return self._read(label=label, version_id=version_id) is not None
        return True

    def _ledger_of(self, newest: Claim, current: TokenSet) -> Ledger:
        latest = self._now + CLOCK_ERROR
        ledger = translated(Ledger(tuple(dated(a, latest) for a in (*newest.earlier, newest))), current)
        issued_at = current.document.issued_at
        if not current.is_consent or issued_at is None:
            return ledger
        return ledger.issued_again(current.fingerprint, issued_at)

    def _resolved(self, ledger: Ledger, newest: Claim, current: TokenSet, *, every: bool = False) -> Ledger:
        fingerprint = fingerprint_of(current.document.redeemed_token)
        on_token, origin = {a.claim_id for a in ledger.on_token(fingerprint)}, current.document.origin
        recovered = origin.recovered if origin and origin.token == fingerprint else None

        def resolve(attempt: Attempt) -> Attempt:
            if attempt.claim_id == recovered:  # A person knows better what it brought than what was read before.
                return replace(attempt, fate=Fate.STORED, next_fingerprint=fingerprint)
            asked = every or attempt.claim_id in on_token or attempt.claim_id == newest.claim_id
            # What was kept may have been read by now.
            unsettled = attempt.fate in {Fate.NO_RESULT, Fate.UNREAD}
            return self._resolve(attempt, current) if asked and unsettled else attempt

        return Ledger(tuple(map(resolve, ledger.attempts)))

    def _resolve(self, attempt: Attempt, current: TokenSet) -> Attempt:
        """Find out what is stored under a claim: staged tokens, or a record."""
        # The current version is what this attempt staged: nothing has to be read.
        if current.version_id == staged_version_id(attempt.claim_id, attempt.version_id):
            return replace(attempt, fate=Fate.STORED, next_fingerprint=fingerprint_of(current.document.redeemed_token))
        record = self.memory.records.get(attempt.claim_id)
        staged = None if record else self._staged_under(attempt)
        if staged is not None:
            return replace(attempt, fate=Fate.STORED, next_fingerprint=fingerprint_of(staged.document.redeemed_token))
        if attempt.claim_id in self._locked:
            return replace(attempt, fate=Fate.STORED, next_fingerprint=stand_in(attempt.claim_id))
        if attempt.fate is Fate.UNREAD:
            return attempt
        record = record or self.parts.claims.record_of(attempt.claim_id)
        if record is None:
            # A run may have died between what it kept and its record.
            ended = not isinstance(attempt, Claim) or self._now >= attempt.ends_at
            if not ended or not self._is_there(response_version_id(attempt.claim_id)):
                return attempt
            record = Record(fate=Fate.UNREAD)
        if record.fate is Fate.UNREAD:
            attempt = replace(attempt, versions=attempt.versions + 1)
        retry_at = believed_wait(record.retry_at, attempt.claimed_at)
        return replace(attempt, fate=record.fate, next_fingerprint=record.next_fingerprint, retry_at=retry_at)

    def _staged_under(self, attempt: Attempt) -> TokenSet | None:
        """Read a token set; None if it is missing or unreadable: either way nobody knows what the attempt brought."""
        version_id = staged_version_id(attempt.claim_id, attempt.version_id)
        known, version = self.memory.staged.get(version_id) or self._sets.get(version_id), None
        if known is not None or attempt.claim_id in self._locked:
            return known
        locked = True
        with IgnoreKmsRefusals():
            version, locked = self._read(version_id=version_id), False
        if locked:
            self._locked.add(attempt.claim_id)
        if version is None:
            return None
        with suppress(InvalidSecretDocument):
            self._sets[version_id] = self._token_set(version)
        return self._sets.get(version_id)

    def _token_set(self, version: SecretVersion) -> TokenSet:
        if version.value is None:
            raise InvalidSecretDocument("it is binary, and must be text (SecretString)")
        read = partial(read_document, version.value, needs_refresh_token=self.parts.provider.needs_refresh_token)
        document = checked_form(read, f"version {version.version_id} of {self.parts.secret}")
        return TokenSet(
            version_id=version.version_id,
            stored_at=version.created_at,
            document=believed(document, version.created_at, self.parts.policy),
            labels=version.labels,
        )

    def _read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        version = self.parts.store.read(label=label, version_id=version_id)
        self._note_time(version.read_at if version else None)
        return version

    def _note_time(self, read_at: datetime | None) -> None:
        # Two services' clocks differ a little; within a run time must not go back.
        self._now = max(self._now, read_at or self._now)


def _as_copy(version: SecretVersion | None) -> PublishedCopy | None:
    if version is None:
        return None
    return PublishedCopy(
        version_id=version.version_id, stored_at=version.created_at, content=read_published(version.value)
    )
