"""Read what is stored, in the protocol's order: published copy, current version, newest claim, what is under claims.

Reads are separate calls, and each can return old data:

1. The published copy, so that an old read of the current version never replaces a newer copy.
2. The current version, because it gives the ARN that is the claim table's key.
3. The newest claim. If a table's claim is older than the current version, the table was lost.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from token_refresh.errors import InvalidSecretDocument, SecretStoreError
from token_refresh.records import record
from token_refresh_worker.core.attempts import Attempt, Fate, Ledger, fingerprint_of
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.kept import KeptTokens
from token_refresh_worker.core.schedule import CLOCK_ERROR
from token_refresh_worker.core.snapshot import PublishedCopy, Snapshot, TokenSet
from token_refresh_worker.core.versions import CLAIM, CURRENT, staged_version_id
from token_refresh_worker.run.failures import SecretName, no_value, published_itself, unreadable_document
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import ClaimReader, ReadableSecret, SecretVersion
from token_refresh_worker.stored.document import TokenDocument, read_document
from token_refresh_worker.stored.origin import ClaimStoreKind


@record
class SnapshotReader:
    """Reads one token secret, its claims and its published copy."""

    store: ReadableSecret
    claims: ClaimReader
    claim_store: ClaimStoreKind
    published: ReadableSecret | None
    secret: SecretName
    needs_refresh_token: bool

    def read(self, memory: Memory) -> Snapshot:
        """Read everything that the next step depends on.

        Raises:
            SecretEmpty: The secret has no current version.
            ConfigurationError: The token secret is named as its own published copy.
            InvalidSecretDocument: What is stored is not what it should be.
            SecretStoreError: A store refuses or can't be reached. For the published copy, `memory` keeps the error.
        """
        return memory.note_read(_Reading(self, memory).snapshot())

    def claim_named(self, claim_id: str, number: int, previous: Claim | None, current: TokenSet) -> Claim | None:
        """Read a claim that is known by its ID and number; None if it can't be read yet."""
        found = self.claims.find(claim_id)
        if found is None:
            return None
        if isinstance(found, Claim):
            return replace(found, number=max(found.number, number))
        return found.counted_as(
            number, previous, version_id=current.version_id, fingerprint=fingerprint_of(current.document.redeemed_token)
        )


@dataclass(slots=True)
class _Reading:
    """One round of reads."""

    reader: SnapshotReader
    memory: Memory
    now: datetime = datetime.fromtimestamp(0, UTC)  # noqa: RUF009 - a constant
    kept: KeptTokens | None = None
    published_arn: str | None = None
    sets: dict[str, TokenSet] = field(default_factory=dict)
    """Staged sets that were read."""

    def snapshot(self) -> Snapshot:
        published = self._published_copy()
        current = self._current()
        newest = self._newest_claim(current)
        ledger = self._resolved(newest, current) if newest else Ledger()
        snapshot = Snapshot(
            now=self.now,
            current=current,
            newest=newest,
            ledger=ledger,
            published=published,
            kept=self.kept,
            claims_in_versions=newest is None and self._claims_in_versions(current),
        )
        stored = snapshot.stored_attempt
        successor = self._staged_under(stored) if stored else None
        return replace(snapshot, now=self.now, successor=successor)

    def _published_copy(self) -> PublishedCopy | None:
        if self.reader.published is None or self.memory.publish_failure is not None:
            return None
        try:
            version = self.reader.published.read(label=CURRENT)
        except SecretStoreError as failure:
            # The refresh goes on; the run raises this at its end.
            self.memory.stop_publishing(failure)
            return None
        self.published_arn = version.arn if version else None
        return PublishedCopy(version_id=version.version_id, stored_at=version.created_at) if version else None

    def _current(self) -> TokenSet:
        version = self._read(label=CURRENT)
        if version is None:
            raise no_value(self.reader.secret)
        if version.arn == self.published_arn:
            raise published_itself(self.reader.secret)
        try:
            document = self._document_in(version)
        except InvalidSecretDocument as error:
            raise unreadable_document(self.reader.secret, version.version_id, str(error)) from None
        return _token_set(version, document)

    def _newest_claim(self, current: TokenSet) -> Claim | None:
        """Find the claim with the highest number: by the store, by this run's memory, or named by the document."""
        found = self.reader.claims.newest()
        self.kept = found.kept
        self._note_time(found.read_at)
        known = [claim for claim in (found.claim, self.memory.newest_claim) if claim]
        # The label may be stale, and people can move it; the number of a claim only grows.
        newest = max(known, key=lambda claim: claim.number, default=None)
        named = Snapshot(now=self.now, current=current, newest=newest).missing_claim_id
        if named is None or self.reader.claim_store is ClaimStoreKind.TABLE:
            return newest
        assert current.document.origin is not None  # noqa: S101 - it names the claim
        return self.reader.claim_named(named, current.document.origin.number, newest, current) or newest

    def _claims_in_versions(self, current: TokenSet) -> bool:
        """Whether claims are in the secret: a document that no run has written does not say where its claims are."""
        named = current.document.origin is not None or self.reader.claim_store is not ClaimStoreKind.TABLE
        return not named and self._read(label=CLAIM) is not None

    def _resolved(self, newest: Claim, current: TokenSet) -> Ledger:
        fingerprint, latest = fingerprint_of(current.document.redeemed_token), self.now + CLOCK_ERROR
        # An entry from the future was written by no run, and would block refreshes until then.
        ledger = Ledger((*(a for a in newest.earlier if a.claimed_at <= latest), newest))
        on_token = {a.claim_id for a in ledger.on_token(fingerprint)}

        def resolve(attempt: Attempt) -> Attempt:
            asked = attempt.claim_id in on_token or attempt is newest
            return self._resolve(attempt, current) if asked and attempt.fate is Fate.SILENT else attempt

        return Ledger(tuple(map(resolve, ledger.attempts)))

    def _resolve(self, attempt: Attempt, current: TokenSet) -> Attempt:
        """Find out what is stored under a claim: staged tokens, or a record."""
        # The current version is what this attempt staged: nothing has to be read.
        if current.version_id == staged_version_id(attempt.claim_id, attempt.version_id):
            return replace(attempt, fate=Fate.STORED, next_fingerprint=fingerprint_of(current.document.redeemed_token))
        record = self.memory.records.get(attempt.claim_id)
        if record is None:
            staged = self._staged_under(attempt)
            if staged is not None:
                brought = fingerprint_of(staged.document.redeemed_token)
                return replace(attempt, fate=Fate.STORED, next_fingerprint=brought)
            record = self.reader.claims.record_of(attempt.claim_id)
        if record is None:
            return attempt
        return replace(attempt, fate=record.fate, next_fingerprint=record.next_fingerprint, retry_at=record.retry_at)

    def _staged_under(self, attempt: Attempt) -> TokenSet | None:
        return self._read_set(staged_version_id(attempt.claim_id, attempt.version_id))

    def _read_set(self, version_id: str) -> TokenSet | None:
        """Read a token set; None if it is missing or unreadable: either way nobody knows what the attempt brought."""
        known = self.memory.staged.get(version_id) or self.sets.get(version_id)
        if known is not None:
            return known
        version = self._read(version_id=version_id)
        if version is None:
            return None
        try:
            found = _token_set(version, self._document_in(version))
        except InvalidSecretDocument:
            return None
        self.sets[version_id] = found
        return found

    def _document_in(self, version: SecretVersion) -> TokenDocument:
        if version.value is None:
            raise InvalidSecretDocument("it is binary, and must be text (SecretString)")
        return read_document(version.value, needs_refresh_token=self.reader.needs_refresh_token)

    def _read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        version = self.reader.store.read(label=label, version_id=version_id)
        self._note_time(version.read_at if version else None)
        return version

    def _note_time(self, read_at: datetime | None) -> None:
        # Two services' clocks differ a little; within a run time must not go back.
        self.now = max(self.now, read_at or self.now)


def _token_set(version: SecretVersion, document: TokenDocument) -> TokenSet:
    return TokenSet(
        version_id=version.version_id, stored_at=version.created_at, document=document, labels=version.labels
    )
