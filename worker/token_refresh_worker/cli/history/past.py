"""What became of the refresh tokens of older token sets, by what a run would read if the set were current."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import cast

from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.history.versions import ListedVersion, VersionKind, list_versions
from token_refresh_worker.cli.lookups import each_version, saying_where
from token_refresh_worker.cli.secret.storing import fields_of
from token_refresh_worker.cli.settings import settings_for
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.pauses import pause_of
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import ClaimStore, SecretStore, SecretVersion
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.origin import StoreName


class TokenFate(StrEnum):
    """What became of a refresh token."""

    UNUSED = "unused"
    REDEEMED = "redeemed"
    PERHAPS = "may be redeemed"
    """A request was sent, or a run died, and no tokens arrived; or older attempts are not known any more."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSecret:
    """The versions of a secret in memory, with one of them as the current one; reads as a `SecretStore` does."""

    versions: Mapping[str, SecretVersion]
    current: SecretVersion

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read the version with this label or version ID."""
        if version_id is not None:
            return self.versions.get(version_id)
        if label == CURRENT:
            return self.current
        return next((version for version in self.versions.values() if label in version.labels), None)


@dataclass(frozen=True, kw_only=True)
class Past:
    """The versions of a secret, and the attempts on its refresh tokens."""

    secret: SecretName
    claim_store: StoreName
    needs_refresh_token: bool
    listed: list[ListedVersion]
    """The newest first."""
    table: ClaimStore | None
    """The claims, unless they are versions."""

    def snapshot(self, current: SecretVersion) -> Snapshot:
        """Read what a run would read if that version were current.

        Raises:
            InvalidSecretDocument: The claim table's item is not a claim.
            SecretStoreError: The claim table refused.
        """
        # Its other methods write, and nothing here does.
        secret = cast("SecretStore", ListedSecret(versions=self.versions, current=current))
        claims = [listed.claim for listed in self.listed if listed.claim and listed.kind is VersionKind.CLAIM]
        # A run whose claim is refused finds the newest one too, wherever the label is.
        newest = max(claims, key=lambda claim: claim.number, default=None)
        reader = SnapshotReader(
            store=secret,
            claims=self.table or VersionClaims(secret),
            claim_store=self.claim_store.kind,
            secret=self.secret,
            needs_refresh_token=self.needs_refresh_token,
            memory=Memory(clock=SystemClock(), newest_claim=newest),
        )
        return reader.read()

    @cached_property
    def versions(self) -> Mapping[str, SecretVersion]:
        """The versions that could be read."""
        return {listed.version_id: listed.value for listed in self.listed if listed.value}

    @cached_property
    def snapshots(self) -> Mapping[str, Snapshot]:
        """What a run would read, for each token set; nothing if the claim table's item is unreadable."""
        sets = [listed.version_id for listed in self.listed if listed.document]
        try:
            return {version_id: self.snapshot(self.versions[version_id]) for version_id in sets}
        except InvalidSecretDocument:
            return {}

    @property
    def kept_since(self) -> datetime | None:
        """When the claim was appended under which the claim table keeps received tokens; None if it keeps none."""
        return next((s.kept.claim.claimed_at for s in self.snapshots.values() if s.kept), None)

    @property
    def pause(self) -> ClaimPause | None:
        """Give the pause that holds now."""
        return next((pause for s in self.snapshots.values() if (pause := pause_of(s))), None)

    @cached_property
    def attempts(self) -> Mapping[str, Attempt]:
        """The attempts by claim ID, with their fate: a run looks it up for the attempts on its token alone."""
        known = [attempt for snapshot in self.snapshots.values() for attempt in snapshot.ledger.attempts]
        return {attempt.claim_id: attempt for attempt in sorted(known, key=lambda a: a.fate is not Fate.SILENT)}

    def fate_of_token(self, snapshot: Snapshot) -> tuple[TokenFate, datetime | None]:
        """Say what became of the current refresh token, in the order of the plan's rules, and when that began."""
        on_token = snapshot.ledger.on_token(snapshot.fingerprint)
        if snapshot.stored_attempt is not None:
            return TokenFate.REDEEMED, next(a.claimed_at for a in on_token if a.fate is Fate.STORED)
        if snapshot.kept is not None and snapshot.kept.claim.fingerprint == snapshot.fingerprint:
            return TokenFate.REDEEMED, snapshot.kept.claim.claimed_at
        if on_token and on_token[-1].fate is Fate.REJECTED:
            return TokenFate.REJECTED, on_token[-1].claimed_at
        if snapshot.unresolved:
            return TokenFate.PERHAPS, snapshot.unresolved[0].claimed_at
        if self._forgets(snapshot):
            return TokenFate.PERHAPS, snapshot.current.stored_at
        return TokenFate.UNUSED, None

    def _forgets(self, snapshot: Snapshot) -> bool:
        """Whether attempts on the current token may be missing: a ledger drops old ones, and a table can be lost."""
        attempts = snapshot.ledger.attempts
        named = [listed.origin.number for listed in self.listed if listed.origin]
        complete = len(attempts) >= max(snapshot.claim_number, *named, 0)  # Claims are numbered without gaps.
        issued = any(attempt.next_fingerprint == snapshot.fingerprint for attempt in attempts)
        reaches_back = any(attempt.claimed_at <= snapshot.current.stored_at for attempt in attempts[:1])
        return not (complete or issued or reaches_back)


def read_past(context: Context) -> Past:
    """Read all versions of the secret.

    Raises:
        SecretStoreError: A store refused.
        ConfigurationError: A setting is wrong.
    """
    store = context.store()
    with saying_where(context):
        settings = settings_of(context, fields_of(store.read(label=CURRENT)))
        needs_refresh_token = settings.provider.needs_refresh_token
        listed = list_versions(each_version(context), store, needs_refresh_token=needs_refresh_token)
    return Past(
        secret=SecretName(secret_id=context.secret_id, region=context.region),
        claim_store=settings.policy.claim_store,
        needs_refresh_token=needs_refresh_token,
        listed=listed,
        table=context.claims(settings, store) if settings.claim_table else None,
    )


def settings_of(context: Context, fields: Mapping[str, object]) -> Settings:
    """Give the settings for a token set; those of another provider don't keep an operator from looking back."""
    try:
        return settings_for(context, fields)
    except ConfigurationError:
        return context.settings()
