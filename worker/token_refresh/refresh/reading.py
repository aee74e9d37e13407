"""Read what is stored, in the protocol's order: newest claim, current version, what is stored under the claims on it.

Reads are separate calls. In this order a torn read only ever makes a run wait, since the claim it saw is older than the
version it saw. The published copy is read before all, so that a copy of an older token set never replaces a newer one.
"""

from datetime import datetime

from token_refresh.core.claims import Claim, ClaimEntry, Record, read_claim, read_record
from token_refresh.core.schedule import Policy, due_at
from token_refresh.core.snapshot import Attempt, Snapshot, Spent, TokenSet
from token_refresh.core.versions import CLAIM, CURRENT, record_version_id, staged_version_id
from token_refresh.errors import InvalidSecretDocument, SecretEmpty
from token_refresh.ports import SecretStore, SecretVersion
from token_refresh.secret_value import SecretValue
from token_refresh.stored.document import TokenDocument, read_document


class Reader:
    """Reads snapshots of one token secret and its published copy."""

    def __init__(
        self,
        *,
        store: SecretStore,
        published: SecretStore | None,
        secret_id: str,
        policy: Policy,
        needs_refresh_token: bool = True,
    ) -> None:
        self._needs_refresh_token = needs_refresh_token
        self._store = store
        self._published = published
        self._secret_id = secret_id
        self._policy = policy
        self._now = datetime.max  # noqa: DTZ901 - replaced by the first read of the current version

    def snapshot(self, *, acting: bool, own: Claim | None) -> Snapshot:
        """Read everything that the next step depends on.

        Args:
            acting: Whether the run acts though nothing may be due, and so needs to know all that bears on a redemption.
            own: The claim that this run just appended: nobody can follow it, and nothing is stored under it yet.

        Raises:
            SecretEmpty: The secret has no current version.
            InvalidSecretDocument: What is stored is not what it should be.
            SecretStoreError: The store refuses or can't be reached.
        """
        shown = self._published.read(label=CURRENT) if self._published else None
        newest = own or self._newest_claim()
        current = self._current()
        attempts = tuple(
            self._attempt(entry, skip=own)
            for entry in (newest.chain if newest else ())
            if entry.version_id == current.version_id
        )
        due = due_at(current.document, self._policy)
        acting = acting or due is None or self._now >= due
        ended = newest is not None and self._ended(newest, current, attempts, acting=acting)
        # Where a claim of our own was just appended, the read before it has found these; and where the current version
        # has changed since, the claim is released before anything else is asked.
        elsewhere = self._elsewhere(newest, current) if newest and acting and own is None else ()
        return Snapshot(
            now=self._now,
            current=current,
            newest=newest,
            newest_ended=ended,
            attempts=attempts,
            elsewhere=elsewhere,
            spent=self._spent(elsewhere, current),
            published=shown.version_id if shown else None,
        )

    def _newest_claim(self) -> Claim | None:
        version = self._store.read(label=CLAIM)
        return read_claim(version.version_id, _text(version), version.created_at) if version else None

    def _current(self) -> TokenSet:
        version = self._store.read(label=CURRENT)
        if version is None:
            raise SecretEmpty(
                f"secret {self._secret_id} is there and has no value yet: store the first token set with "
                "`token-refresh authorize`, or with `aws secretsmanager put-secret-value`"
            )
        self._now = version.read_at
        return TokenSet(
            version_id=version.version_id,
            labels=version.labels,
            document=self._document(version),
        )

    def _document(self, version: SecretVersion) -> TokenDocument:
        return read_document(_text(version), needs_refresh_token=self._needs_refresh_token)

    def _attempt(self, entry: ClaimEntry, *, skip: Claim | None = None) -> Attempt:
        if skip is not None and entry.claim_id == skip.claim_id:
            return Attempt(claim=entry, staged=None, record=None)
        # The record first: tokens that are staged between the two reads are then seen.
        record = self._record(record_version_id(entry.claim_id))
        return Attempt(claim=entry, record=record, staged=self._staged(entry, entry.version_id))

    def _record(self, version_id: str) -> Record | None:
        version = self._store.read(version_id=version_id)
        return read_record(version_id, _text(version)) if version else None

    def _staged(self, entry: ClaimEntry, base: str) -> TokenSet | None:
        version = self._store.read(version_id=staged_version_id(entry.claim_id, base))
        if version is None:
            return None
        self._now = version.read_at
        return TokenSet(
            version_id=version.version_id,
            labels=version.labels,
            document=self._document(version),
        )

    def _ended(self, newest: Claim, current: TokenSet, attempts: tuple[Attempt, ...], *, acting: bool) -> bool:
        """Whether the newest claim ended early; on another version it is asked only where the answer matters."""
        if _follows(current, newest):
            return True
        if newest.version_id == current.version_id:
            return attempts[-1].staged is not None or attempts[-1].record is not None
        if not acting or self._now >= newest.ends_at:
            return False
        attempt = self._attempt(newest)
        return attempt.staged is not None or attempt.record is not None

    def _elsewhere(self, newest: Claim, current: TokenSet) -> tuple[Attempt, ...]:
        """Find the attempts, oldest first, on other versions that hold the very refresh token of the current one.

        Someone saved an edited copy of a version while its refresh token was being redeemed.
        """
        if _follows(current, newest):
            return ()
        documents: dict[str, TokenDocument | None] = {}
        found = []
        for entry in newest.chain:
            if entry.version_id == current.version_id:
                continue
            if entry.version_id not in documents:
                version = self._store.read(version_id=entry.version_id)
                documents[entry.version_id] = self._document(version) if version else None
            document = documents[entry.version_id]
            if document is not None and document.refresh_token == current.document.refresh_token:
                found.append(self._attempt(entry))
        return tuple(found)

    def _spent(self, elsewhere: tuple[Attempt, ...], current: TokenSet) -> Spent | None:
        """Find the newest tokens that were received for the refresh token that the current version still holds.

        A provider that never changes the refresh token spends none.
        """
        for attempt in reversed(elsewhere):
            entry, staged = attempt.claim, attempt.staged
            if staged and staged.document.refresh_token != current.document.refresh_token:
                return Spent(claim=entry, staged=staged, carried=self._staged(entry, current.version_id))
        return None


def _follows(current: TokenSet, claim: Claim) -> bool:
    return current.version_id == staged_version_id(claim.claim_id, claim.version_id)


def _text(version: SecretVersion) -> SecretValue:
    if version.value is None:
        raise InvalidSecretDocument(
            f"version {version.version_id} is binary; store the token document as text (SecretString)"
        )
    return version.value
