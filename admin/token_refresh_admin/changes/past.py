"""The versions of a token secret, what each of them is, and what became of their refresh tokens.

A run says it: what it would read if that version were current.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import cast

from token_refresh.errors import InvalidSecretDocument, SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.change import PROBE_VERSION_ID, document_of, fields_of
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.claims import Claim, Record, read_claim, read_record
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import CURRENT, is_redirect_note, staged_version_id
from token_refresh_worker.oauth.unread import read_unread
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import IgnoreKmsRefusals, RunDependencies, SecretStore, SecretVersion
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import ClaimStoreKind, Origin


class VersionKind(StrEnum):
    """What a version is."""

    RECEIVED = "token set, received by a run"
    AUTHORIZED = "token set, stored by authorize"
    STORED = "token set, stored by something other than a run or a command"
    STORED_AGAIN = "token set, stored again by a command or an edit"
    OTHER = "not a token set"
    CLAIM = "claim"
    RECORD = "record of a failed attempt"
    RESPONSE = "response that can't be read"
    PROBE = "probe of a permission"
    REDIRECT = "note that a redirect was taken"
    LOCKED = "locked: KMS refuses its key"

    @property
    def is_note(self) -> bool:
        """Whether it is a note of this program, and not a value of the secret."""
        return self in {VersionKind.CLAIM, VersionKind.RECORD, VersionKind.PROBE, VersionKind.REDIRECT}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ListedVersion(VersionEntry):
    """A version that is listed, with its value, and what it is."""

    kind: VersionKind
    value: SecretVersion | None
    claim: Claim | None = None
    record: Record | None = None
    document: TokenDocument | None = None

    @property
    def origin(self) -> Origin | None:
        """Where a token set comes from."""
        return self.document.origin if self.document else None


def _read_entry(entry: VersionEntry, parts: RunDependencies) -> ListedVersion:
    with IgnoreKmsRefusals():
        return _identify(entry, parts.store.read(version_id=entry.version_id), parts)
    return replace(_identify(entry, None, parts), kind=VersionKind.LOCKED)


def _identify(entry: VersionEntry, value: SecretVersion | None, parts: RunDependencies) -> ListedVersion:
    version_id, created_at = entry.version_id, entry.created_at
    text = (value.value if value else None) or SecretValue("")
    document = document_of(fields_of(value), needs_refresh_token=parts.provider.needs_refresh_token)
    claim = read_claim(version_id, text, created_at)
    record = None if claim else read_record(text)
    if document is not None:
        kind = _kind_of(document)
    elif version_id == PROBE_VERSION_ID:
        kind = VersionKind.PROBE
    elif is_redirect_note(text):
        kind = VersionKind.REDIRECT
    elif read_unread(text) is not None:
        kind = VersionKind.RESPONSE
    else:
        kind = VersionKind.CLAIM if claim else VersionKind.RECORD if record else VersionKind.OTHER
    return ListedVersion(
        version_id=version_id,
        created_at=created_at,
        labels=entry.labels,
        keys=entry.keys,
        kind=kind,
        value=value,
        claim=claim,
        record=record,
        document=document,
    )


def _kind_of(document: TokenDocument) -> VersionKind:
    """Say who stored a token set, by its key `tokenRefresh`; an edited copy keeps the key."""
    origin = document.origin
    if origin is None:
        return VersionKind.STORED
    # Without a claim: the first grant, stored before there was the mark `authorized`.
    return VersionKind.AUTHORIZED if origin.authorized or not origin.claim_id else VersionKind.STORED_AGAIN


class TokenUse(StrEnum):
    """Whether a refresh token was redeemed; `Fate` says how one attempt on it ended."""

    UNUSED = "unused"
    REDEEMED = "redeemed"
    PERHAPS = "may be redeemed"
    """A request was sent, or a run died, and no tokens arrived; or older attempts are not known any more."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ListedSecret:
    """The versions of a secret in memory, with one of them as the current one; reads as a `SecretStore` does."""

    values: Mapping[str, SecretVersion]
    current: SecretVersion
    listed: Sequence[ListedVersion] = ()

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read the version with this label or version ID."""
        if label == CURRENT:
            return self.current
        for listed in self.listed:
            if listed.kind is VersionKind.LOCKED and (listed.version_id == version_id or label in listed.labels):
                refused = SecretAccessDenied("left out by its reader")
                refused.by_key = True
                raise refused
        if version_id is not None:
            return self.values.get(version_id)
        return next((version for version in self.values.values() if label in version.labels), None)

    def versions(self) -> tuple[VersionEntry, ...]:
        """List the versions."""
        return tuple(self.listed)


@dataclass(frozen=True, kw_only=True, repr=False)
class VersionHistory:
    """The versions of a secret, and the attempts on its refresh tokens."""

    parts: RunDependencies

    @cached_property
    def listed(self) -> list[ListedVersion]:
        """The versions, the newest first."""
        by_id = {entry.version_id: entry for entry in self.parts.store.versions()}  # One that moves is listed twice.
        listed = [_read_entry(entry, self.parts) for entry in by_id.values()]
        # Only a version ID that derives from a claim proves that a run stored the set: an edited copy keeps
        # `tokenRefresh`.
        claims = {version.version_id for version in listed if version.claim}
        received = {staged_version_id(claim, version.version_id) for claim in claims for version in listed}
        marked = [
            replace(version, kind=VersionKind.RECEIVED)
            if version.document and version.version_id in received
            else version
            for version in listed
        ]
        return sorted(marked, key=lambda version: version.created_at, reverse=True)

    def first_stored(self, document: TokenDocument) -> datetime:
        """When the access token of one of these versions was first stored: a copy lives no longer than its original."""
        same = [v for v in self.listed if v.document and v.document.access_token == document.access_token]
        return min(version.created_at for version in same)

    def snapshot(self, current: SecretVersion) -> Snapshot:
        """Read what a run would read if that version were current.

        Raises:
            InvalidSecretDocument: The claim table's item is not a claim.
        """
        # Its other methods write, and nothing here does.
        secret = cast("SecretStore", ListedSecret(values=self.versions, current=current, listed=self.listed))
        claims = [listed.claim for listed in self.listed if listed.claim and listed.kind is VersionKind.CLAIM]
        # A run whose claim is refused finds the newest one too, wherever the label is.
        newest = max(claims, key=lambda claim: claim.number, default=None)
        in_table = self.parts.policy.claim_store.kind is ClaimStoreKind.TABLE
        parts = replace(
            self.parts, store=secret, claims=self.parts.claims if in_table else VersionClaims(secret), published=None
        )
        return SnapshotReader(parts=parts, memory=Memory(clock=parts.deadline.clock, newest_claim=newest)).read()

    @cached_property
    def versions(self) -> Mapping[str, SecretVersion]:
        """The versions that could be read."""
        return {listed.version_id: listed.value for listed in self.listed if listed.value}

    @cached_property
    def snapshots(self) -> Mapping[str, Snapshot]:
        """What a run would read, for each token set; nothing where a claim table's item has no time."""
        sets = [listed.version_id for listed in self.listed if listed.document]
        try:
            return {version_id: self.snapshot(self.versions[version_id]) for version_id in sets}
        except InvalidSecretDocument:
            return {}

    @cached_property
    def living_version(self) -> str | None:
        """The version that a run names in place of the current one, because that is dead."""
        current = next((listed.version_id for listed in self.listed if CURRENT in listed.labels), "")
        snapshot = self.snapshots.get(current)
        return snapshot.living.version_id if snapshot and snapshot.living else None

    @property
    def kept_tokens_since(self) -> datetime | None:
        """When the claim was appended under which the claim table keeps received tokens; None if it keeps none."""
        return next((s.kept_tokens.claim.claimed_at for s in self.snapshots.values() if s.kept_tokens), None)

    @cached_property
    def attempts(self) -> Mapping[str, Attempt]:
        """The attempts by claim ID, with their fate: a run looks it up for the attempts on its token alone."""
        known = [attempt for snapshot in self.snapshots.values() for attempt in snapshot.ledger.attempts]
        return {attempt.claim_id: attempt for attempt in sorted(known, key=lambda a: a.fate is not Fate.NO_RESULT)}

    def use_of_token(self, snapshot: Snapshot) -> tuple[TokenUse, datetime | None]:
        """Say what became of the current refresh token, in the order of the plan's rules, and when that began."""
        on_token = snapshot.ledger.on_token(snapshot.fingerprint)
        if snapshot.stored_attempt is not None:
            return TokenUse.REDEEMED, next(a.claimed_at for a in on_token if a.fate is Fate.STORED)
        if snapshot.kept_tokens is not None and snapshot.kept_tokens.claim.fingerprint == snapshot.fingerprint:
            return TokenUse.REDEEMED, snapshot.kept_tokens.claim.claimed_at
        rejected = [a.claimed_at for a in on_token if a.fate is Fate.REJECTED]
        if snapshot.is_dead and rejected:
            return TokenUse.REJECTED, rejected[-1]
        if snapshot.unresolved:
            return TokenUse.PERHAPS, snapshot.unresolved[0].claimed_at
        if self._forgets(snapshot):
            return TokenUse.PERHAPS, snapshot.current.stored_at
        return TokenUse.UNUSED, None

    def _forgets(self, snapshot: Snapshot) -> bool:
        """Whether attempts on the current token may be missing: a ledger drops old ones, and a table can be lost."""
        if snapshot.ledger.has_forgotten(snapshot.fingerprint, snapshot.issued_at):
            return True
        attempts = snapshot.ledger.attempts
        named = [listed.origin.number for listed in self.listed if listed.origin]
        complete = len(attempts) >= max(snapshot.claim_number, *named, 0)  # Claims are numbered without gaps.
        issued = any(attempt.next_fingerprint == snapshot.fingerprint for attempt in attempts)
        reaches_back = any(attempt.claimed_at <= snapshot.current.stored_at for attempt in attempts[:1])
        return not (complete or issued or reaches_back)
