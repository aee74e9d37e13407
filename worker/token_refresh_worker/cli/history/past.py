"""What became of the refresh tokens of older token sets, as a run would see it if the set were current."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from token_refresh.errors import ConfigurationError, SecretNotFound
from token_refresh_worker.adapters.version_claims import VersionClaimReader
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.history.versions import Kind, Listed, list_versions
from token_refresh_worker.cli.secret.provider import settings_for
from token_refresh_worker.cli.secret.regions import not_found
from token_refresh_worker.cli.secret.storing import fields_of
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import ClaimReader, SecretVersion
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.run.snapshot_reader import SnapshotReader


class TokenFate(StrEnum):
    """What became of a refresh token."""

    UNUSED = "unused"
    REDEEMED = "redeemed"
    PERHAPS = "may be redeemed"
    """A request was sent, or a run died, and no tokens arrived."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSecret:
    """The versions of a secret in memory, with a current one of one's choice; implements the port `SecretReader`."""

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
    settings: Settings
    versions: list[Listed]
    """The newest first."""
    table: ClaimReader | None
    """The claims, unless they are versions."""

    def snapshot(self, current: SecretVersion) -> Snapshot:
        """Read what a run would read if that version were current.

        Raises:
            InvalidSecretDocument: The claim table's item is not a claim.
            SecretStoreError: The claim table refused.
        """
        listed = ListedSecret(
            versions={version.version_id: version.value for version in self.versions if version.value}, current=current
        )
        reader = SnapshotReader(
            store=listed,
            claims=self.table or VersionClaimReader(listed),
            claim_store=self.settings.policy.claim_store,
            published=None,
            secret=self.secret,
            needs_refresh_token=self.settings.provider.needs_refresh_token,
        )
        # A run whose claim is refused finds the newest one, also where the label was moved.
        return reader.read(Memory(clock=SystemClock(), state=RunState(), newest_claim=self._newest_claim))

    @cached_property
    def snapshots(self) -> Mapping[str, Snapshot]:
        """What a run would read, for each token set."""
        sets = (version.value for version in self.versions if version.document)
        return {value.version_id: self.snapshot(value) for value in sets if value}

    @cached_property
    def attempts(self) -> Mapping[str, Attempt]:
        """The attempts that the claims list, by claim ID; a run looks for the results of those on its token alone."""
        known = [attempt for snapshot in self.snapshots.values() for attempt in snapshot.ledger.attempts]
        return {attempt.claim_id: attempt for attempt in sorted(known, key=lambda a: a.fate is not Fate.SILENT)}

    @property
    def _newest_claim(self) -> Claim | None:
        claims = [version.claim for version in self.versions if version.claim and version.kind is Kind.CLAIM]
        # By number, not by time: the clocks of two runs may differ.
        return max(claims, key=lambda claim: claim.number, default=None)


def fate_of_token(snapshot: Snapshot) -> tuple[TokenFate, datetime | None]:
    """Say what became of the current refresh token, and when that began; in the order of the plan's rules."""
    on_token = snapshot.on_token
    if snapshot.stored_attempt is not None:
        return TokenFate.REDEEMED, next(a.claimed_at for a in on_token if a.fate is Fate.STORED)
    if on_token and on_token[-1].fate is Fate.REJECTED:
        return TokenFate.REJECTED, on_token[-1].claimed_at
    if snapshot.first_unresolved is not None:
        return TokenFate.PERHAPS, snapshot.first_unresolved.claimed_at
    return TokenFate.UNUSED, None


def read_past(context: Context) -> Past:
    """Read all versions of the secret.

    Raises:
        SecretStoreError: A store refused.
        ConfigurationError: A setting is wrong.
    """
    store = context.store()
    try:
        settings = settings_of(context, fields_of(store.read(label=CURRENT)))
        versions = list_versions(context, store, needs_refresh_token=settings.provider.needs_refresh_token)
    except SecretNotFound as failure:
        raise not_found(context, failure) from None
    return Past(
        secret=SecretName(secret_id=context.secret_id, region=context.region),
        settings=settings,
        versions=versions,
        table=context.claims(settings, store) if settings.claim_table else None,
    )


def settings_of(context: Context, fields: Mapping[str, object]) -> Settings:
    """Give the settings for a token set; those of another provider don't keep an operator from looking back."""
    try:
        return settings_for(context, fields)
    except ConfigurationError:
        return context.settings()
