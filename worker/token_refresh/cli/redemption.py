"""Whether the refresh token of an old token set was redeemed, from what is stored: this decides on `restore`."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from token_refresh.cli.storing import document_of, fields_of
from token_refresh.cli.versions import Listed, read_claims
from token_refresh.core import attempts
from token_refresh.core.claims import Claim, read_record
from token_refresh.core.versions import record_version_id, staged_version_id
from token_refresh.ports import SecretStore
from token_refresh.stored.document import TokenDocument


class Fate(Enum):
    """What became of a refresh token."""

    UNUSED = auto()
    """No run of the worker that is still recorded redeemed it, or it is the current one."""
    REDEEMED = auto()
    PERHAPS = auto()
    """A request was sent and no answer is known."""
    REJECTED = auto()
    """The provider refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The fate of one refresh token, and when it met it."""

    fate: Fate
    at: datetime | None = None


def trace(store: SecretStore, versions: list[Listed], target: TokenDocument) -> History:
    """Find out what became of the refresh token of `target`; the worst that is recorded counts."""
    holders = {
        listed.version_id
        for listed in versions
        if listed.is_token_set and _refresh_token(store, listed.version_id) == target.refresh_token
    }
    found = [
        history
        for claim in read_claims(store, versions)
        if claim.version_id in holders and (history := _under(store, claim, target)) is not None
    ]
    for fate in (Fate.REJECTED, Fate.REDEEMED, Fate.PERHAPS):
        moments = [history.at for history in found if history.fate is fate and history.at is not None]
        if moments:
            return History(fate=fate, at=min(moments))  # The provider's grace counts from the first redemption.
    return History(fate=Fate.UNUSED)


def _refresh_token(store: SecretStore, version_id: str) -> object:
    document = document_of(fields_of(store.read(version_id=version_id)))
    return None if document is None else document.refresh_token


def _under(store: SecretStore, claim: Claim, target: TokenDocument) -> History | None:
    staged = _refresh_token(store, staged_version_id(claim.claim_id, claim.version_id))
    if staged is not None:
        # A provider that never changes the refresh token spends none.
        spent = staged != target.refresh_token
        return History(fate=Fate.REDEEMED, at=claim.claimed_at) if spent else None
    stored = store.read(version_id=record_version_id(claim.claim_id))
    if stored is None or stored.value is None:
        return History(fate=Fate.PERHAPS, at=claim.claimed_at)
    recorded = read_record(stored.version_id, stored.value).fate
    if recorded is attempts.Fate.NOT_REDEEMED:
        return None
    fate = Fate.REJECTED if recorded is attempts.Fate.REJECTED else Fate.PERHAPS
    return History(fate=fate, at=claim.claimed_at)
