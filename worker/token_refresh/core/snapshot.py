"""What one run has read, and what it remembers of itself: all that the plan depends on."""

from dataclasses import dataclass
from datetime import datetime

from token_refresh.core.claims import Claim, ClaimEntry, Record, Redemption
from token_refresh.stored.document import TokenDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """A version of the token secret that holds a token document."""

    version_id: str
    labels: frozenset[str]
    document: TokenDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A claim, and what is stored under it."""

    claim: ClaimEntry
    staged: TokenSet | None
    record: Record | None

    @property
    def unresolved(self) -> bool:
        """Whether nobody knows if the refresh token was redeemed; to be asked once its claim has ended."""
        return self.staged is None and (self.record is None or self.record.redemption is Redemption.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens that were received for the very refresh token that the current version, an edited copy, still holds."""

    claim: ClaimEntry
    staged: TokenSet
    carried: TokenSet | None
    """The same tokens, staged again on top of the current version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one run has read, in the protocol's order."""

    now: datetime
    """The service's clock."""
    current: TokenSet
    newest: Claim | None
    """The newest claim, on whichever version."""
    newest_ended: bool
    """Whether staged tokens or a record ended it before its time to live did."""
    attempts: tuple[Attempt, ...]
    """The claims on the current version, oldest first."""
    spent: Spent | None
    published: str | None
    """The current version of the published secret; None where there is none yet."""
    elsewhere: tuple[Attempt, ...] = ()
    """The claims on other versions that hold the current version's refresh token, oldest first."""

    @property
    def unknown_since(self) -> datetime | None:
        """When the first attempt on the current refresh token was made whose outcome nobody knows."""
        attempts = (*self.elsewhere, *self.attempts)
        # A refresh token that is still current after it brought tokens is one that the provider never changes.
        redeemed = max((a.claim.claimed_at for a in attempts if a.staged), default=None)
        unknown = (a.claim.claimed_at for a in attempts if a.unresolved)
        return min((at for at in unknown if redeemed is None or at > redeemed), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one run remembers of itself."""

    forced: bool
    forced_version: str | None
    """The version that a forced run refers to: the one that was current when it began."""
    claim_id: str | None
    """The claim that it holds and has not used."""
    tidies: bool
    publishes: bool
