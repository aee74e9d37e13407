"""What a run can do next: an action that changes what is stored, or a rest that ends the run."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from token_refresh_worker.core.claims import Claim, KeptTokens
from token_refresh_worker.core.snapshot import LivingSet, TokenSet
from token_refresh_worker.stored.origin import StoreName


class Reason(StrEnum):
    """Why a run yields."""

    CLAIMED = "another run holds the claim"
    UNREADABLE = "the newest claim can't be read yet"
    BACKOFF = "the backoff after a failed attempt is not over"
    DAILY_LIMIT = "the daily limit of claims is reached"
    FORCED_LIMIT = "the daily limit of forced claims is reached"
    STALE = "a read of Secrets Manager was stale"
    PAUSED = "an operator paused the refreshes"
    REDEEMED = "this run has sent a refresh token already"


@dataclass(frozen=True, slots=True, repr=False)
class StoreKeptTokens:
    """Store what the claim table keeps, under its own version ID."""

    kept_tokens: KeptTokens
    # Whether a run that can't store them must send nothing. A person who authorized again does without these tokens.
    needed: bool


@dataclass(frozen=True, slots=True, repr=False)
class Promote:
    """Make stored tokens current, on the version that they were received for."""

    successor: TokenSet


@dataclass(frozen=True, slots=True, repr=False)
class RestageOnEdited:
    """Stage stored tokens on top of the current version, an edited copy, and make that current."""

    successor: TokenSet
    # The claim that the tokens were received under: the ID of the new version follows from it.
    claim_id: str


@dataclass(frozen=True, slots=True, repr=False)
class Publish:
    """Bring the published copy up to the current version."""


@dataclass(frozen=True, slots=True, repr=False)
class ReplaceLostTable:
    """Append a claim that nobody holds, after which the usual rules wait for runs that held a lost claim."""

    claim: Claim
    after: str | None
    kept_tokens: KeptTokens | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Redeem:
    """Append a claim, redeem under it, stage the tokens and make them current."""

    claim: Claim
    # The append fails if another claim follows this one already, or if the table keeps something else by then.
    after: str | None
    kept_tokens: KeptTokens | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Fresh:
    """Nothing is due."""


@dataclass(frozen=True, slots=True, repr=False)
class Wait:
    """Leave it to a later run."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True, repr=False)
class AwaitOutcome:
    """An outcome is unknown and a replay could cost the grant: send nothing before `until`."""

    since: datetime
    until: datetime
    # The newest attempt of unknown outcome: a run that names it sends the token again.
    claim_id: str


@dataclass(frozen=True, slots=True, repr=False)
class StopAtUnread:
    """A response that can't be read is kept, and its tokens may be alive: nothing is sent before a person looked."""

    since: datetime
    # The attempt that brought it.
    claim_id: str


@dataclass(frozen=True, slots=True, repr=False)
class SettingsMismatch:
    """The settings don't fit the stored token set."""

    setting: str
    stored: str | StoreName
    configured: str | StoreName
    moving: bool = False
    """Whether claims are on their way to the stored claim store: somebody has to complete the move."""
    claim_id: str | None = None
    """The claim that says it, where the document does not."""


@dataclass(frozen=True, slots=True, repr=False)
class TokenUsed:
    """The current refresh token was redeemed, and what it brought is not readable."""

    since: datetime


@dataclass(frozen=True, slots=True, repr=False)
class LivingSetReplaced:
    """The current tokens are dead, or lead to dead ones, and a newer set that may be alive is stored."""

    living: LivingSet


@dataclass(frozen=True, slots=True, repr=False)
class NextTokensUndecryptable:
    """The current refresh token was redeemed, and KMS refuses to decrypt the version with what it brought."""

    version_id: str


@dataclass(frozen=True, slots=True, repr=False)
class KeptTokensLocked:
    """The claim table keeps the tokens that the current one brought, and nobody can decrypt them."""


@dataclass(frozen=True, slots=True, repr=False)
class Rejected:
    """The provider rejected the grant; it is asked again at `retry_at`."""

    since: datetime
    retry_at: datetime


Action = StoreKeptTokens | Promote | RestageOnEdited | Publish | ReplaceLostTable | Redeem
Rest = (
    Fresh
    | Wait
    | AwaitOutcome
    | StopAtUnread
    | SettingsMismatch
    | KeptTokensLocked
    | LivingSetReplaced
    | NextTokensUndecryptable
    | TokenUsed
    | Rejected
)
Step = Action | Rest
