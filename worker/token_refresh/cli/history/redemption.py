"""Whether the refresh token of an old token set was redeemed: this decides on `restore`."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from token_refresh.cli.history.versions import Listed, read_claims
from token_refresh.cli.secret.storing import document_of, fields_of
from token_refresh.core import attempts
from token_refresh.core.claims import Claim, read_record
from token_refresh.core.versions import record_version_id, staged_version_id
from token_refresh.ports import SecretStore
from token_refresh.stored.document import TokenDocument


class Fate(Enum):
    """What became of a refresh token."""

    UNUSED = auto()
    """No recorded run redeemed it, or redeeming it does not use it up."""
    REDEEMED = auto()
    PERHAPS = auto()
    """A request was sent, and the response is unknown."""
    REJECTED = auto()
    """The provider rejected it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The fate of one refresh token, and when it was redeemed or sent."""

    fate: Fate
    at: datetime | None = None


def trace(store: SecretStore, versions: list[Listed], target: TokenDocument) -> Past:
    """Find out what became of the refresh token of `target`; the worst recorded fate counts."""
    holders = {
        listed.version_id
        for listed in versions
        if listed.kind.is_token_set and _refresh_token(store, listed.version_id) == target.refresh_token
    }
    found = [
        past
        for claim in read_claims(store, versions)
        if claim.version_id in holders and (past := _under(store, claim, target)) is not None
    ]
    for fate in (Fate.REJECTED, Fate.REDEEMED, Fate.PERHAPS):
        moments = [past.at for past in found if past.fate is fate and past.at is not None]
        if moments:
            return Past(fate=fate, at=min(moments))  # The provider's grace counts from the first redemption.
    return Past(fate=Fate.UNUSED)


def _refresh_token(store: SecretStore, version_id: str) -> object:
    document = document_of(fields_of(store.read(version_id=version_id)))
    return None if document is None else document.refresh_token


def _under(store: SecretStore, claim: Claim, target: TokenDocument) -> Past | None:
    staged = _refresh_token(store, staged_version_id(claim.claim_id, claim.version_id))
    if staged is not None:
        # A provider that always returns the same refresh token does not use it up.
        replaced = staged != target.refresh_token
        return Past(fate=Fate.REDEEMED, at=claim.claimed_at) if replaced else None
    stored = store.read(version_id=record_version_id(claim.claim_id))
    if stored is None or stored.value is None:
        return Past(fate=Fate.PERHAPS, at=claim.claimed_at)
    recorded = read_record(stored.version_id, stored.value).fate
    if recorded is attempts.Fate.NOT_REDEEMED:
        return None
    fate = Fate.REJECTED if recorded is attempts.Fate.REJECTED else Fate.PERHAPS
    return Past(fate=fate, at=claim.claimed_at)
