"""What became of the refresh tokens of older token sets: this decides on `restore`, and `history` lists it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from token_refresh.errors import ConfigurationError, InvalidSecretDocument, SecretNotFound
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.history.versions import Kind, Listed, list_versions
from token_refresh_worker.cli.secret.provider import settings_for
from token_refresh_worker.cli.secret.regions import not_found
from token_refresh_worker.cli.secret.storing import fields_of
from token_refresh_worker.core.attempts import Attempt, Fate, Ledger, fingerprint_of
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.versions import CURRENT, record_version_id, staged_version_id
from token_refresh_worker.run.ports import ClaimStore
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.document import TokenDocument


class TokenFate(StrEnum):
    """What became of a refresh token."""

    UNUSED = "unused"
    REDEEMED = "redeemed"
    PERHAPS = "may be redeemed"
    """A request was sent, or a run died, and no tokens arrived."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The versions of a secret, and the attempts on its refresh tokens."""

    settings: Settings
    versions: list[Listed]
    """The newest first."""
    ledger: Ledger

    def attempt_under(self, claim_id: str) -> Attempt | None:
        """Give the attempt under a claim."""
        return next((a for a in self.ledger.attempts if a.claim_id == claim_id), None)

    def fate_of_token(self, document: TokenDocument) -> tuple[TokenFate, datetime | None]:
        """Say what became of a token set's refresh token, and when that began; the worst fate counts."""
        fingerprint = fingerprint_of(document.redeemed_token)
        found = self.ledger.on_token(fingerprint)
        # Only the newest attempt counts, as in `stop_at_rejected_grant`.
        rejected = [a for a in found[-1:] if a.fate is Fate.REJECTED]
        # A provider that returned the same token did not use it up.
        redeemed = [a for a in found if a.fate is Fate.STORED and a.next_fingerprint != fingerprint]
        unresolved = [a for a in found if a.fate.unresolved]
        for fate, those in (
            (TokenFate.REJECTED, rejected),
            (TokenFate.REDEEMED, redeemed),
            (TokenFate.PERHAPS, unresolved),
        ):
            if those:
                return fate, those[0].claimed_at  # The provider's grace counts from the first redemption.
        return TokenFate.UNUSED, None


def read_past(context: Context) -> Past:
    """Read all versions, and the ledger of the newest claim.

    Raises:
        SecretStoreError: A store refused.
        ConfigurationError: A setting is wrong.
    """
    store = context.store()
    try:
        settings = _settings(context, fields_of(store.read(label=CURRENT)))
        versions = list_versions(context, store, needs_refresh_token=settings.provider.needs_refresh_token)
    except SecretNotFound as failure:
        raise not_found(context, failure) from None
    newest = _newest_claim(context.claims(settings, store), versions)
    by_id = {version.version_id: version for version in versions}
    ledger = Ledger(tuple(_resolve(a, by_id) for a in newest.ledger.attempts)) if newest else Ledger()
    return Past(settings=settings, versions=versions, ledger=ledger)


def _settings(context: Context, current: Mapping[str, object]) -> Settings:
    """Give the settings; those of another provider don't keep an operator from looking back."""
    try:
        return settings_for(context, current)
    except ConfigurationError:
        return context.settings()


def _newest_claim(store: ClaimStore, versions: list[Listed]) -> Claim | None:
    """Find the claim with the highest number, whether or not its label was moved."""
    claims = [version.claim for version in versions if version.claim and version.kind is Kind.CLAIM]
    try:
        found = store.newest().claim
    except InvalidSecretDocument:
        found = None  # An unreadable item of the table; the versions tell what they can.
    # By number, not by time: the clocks of two runs may differ.
    return max([*claims, *([found] if found else [])], key=lambda c: (c.number, c.claimed_at), default=None)


def _resolve(attempt: Attempt, versions: Mapping[str, Listed]) -> Attempt:
    """Find out what is stored under a claim that the ledger has no fate for."""
    if attempt.fate is not Fate.SILENT:
        return attempt
    staged = versions.get(staged_version_id(attempt.claim_id, attempt.version_id))
    if staged is not None and staged.document is not None:
        return replace(attempt, fate=Fate.STORED, next_fingerprint=fingerprint_of(staged.document.redeemed_token))
    recorded = versions.get(record_version_id(attempt.claim_id))
    return replace(attempt, fate=recorded.record.fate) if recorded and recorded.record else attempt
