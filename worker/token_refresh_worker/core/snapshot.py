"""What one run has read, and what it knows about itself: all that the plan depends on."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from token_refresh.errors import TokenRefreshError
from token_refresh.stored.times import is_possible
from token_refresh_worker.core.attempts import CLOCK_ERROR, NO_TOKEN, Attempt, Fate, Ledger, fingerprint_of
from token_refresh_worker.core.claims import Claim, KeptTokens
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.versions import claim_version_id, published_version_id
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, ForeignSets, Origin, StoreName
from token_refresh_worker.stored.published import PublishedContent


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TokenSet:
    """A version of the token secret that holds a token document."""

    version_id: str
    stored_at: datetime
    document: TokenDocument
    labels: frozenset[str] = frozenset()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its refresh token."""
        return fingerprint_of(self.document.redeemed_token)

    @property
    def is_consent(self) -> bool:
        """Whether these are the tokens of a consent, as it brought them: no claim of before is on them."""
        origin = self.document.origin
        return origin is not None and origin.authorized and origin.token == self.fingerprint


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PublishedCopy:
    """The current version of the published secret."""

    version_id: str
    stored_at: datetime
    content: PublishedContent

    @property
    def is_overwritten(self) -> bool:
        """Whether neither a run nor a command of ours stored it: our version IDs follow from the source's."""
        source = self.content.source_version_id
        return source is None or self.version_id != published_version_id(source)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LivingSet:
    """A stored token set that somebody replaced by dead tokens, and that is not known to be dead itself."""

    version_id: str
    stored_at: datetime
    locked: bool = False
    """Whether KMS refuses to decrypt it."""
    is_foreign: bool = False
    """Whether neither a run nor a command of ours stored it: then it may be of another grant, and ours come first."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Snapshot:
    """What one run has read, in the protocol's order."""

    now: datetime
    """The clock of the services."""
    current: TokenSet
    newest: Claim | None = None
    """The newest claim that could be read, on whichever version."""
    ledger: Ledger = field(default_factory=Ledger)
    """The attempts that it knows, itself last, with what is stored under them."""
    successor: TokenSet | None = None
    """The newest tokens that follow from the current refresh token, if that was used."""
    locked: bool = False
    """Whether these tokens are stored, and KMS refuses to decrypt them."""
    published: PublishedCopy | None = None
    """None if nothing was published yet."""
    kept_tokens: KeptTokens | None = None
    """What the claim table keeps because Secrets Manager refused it."""
    claims_in_versions: bool = False
    """The secret has claims, though the configured table has none and the document names no store."""
    is_dead: bool = False
    """Whether the current tokens, or the last that they lead to, are known to be dead."""
    living: LivingSet | None = None
    """The newest set of ours that may be alive, else the newest of others, where the current tokens are dead."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the current refresh token."""
        return self.current.fingerprint

    @property
    def on_version(self) -> tuple[Attempt, ...]:
        """The attempts on the current version."""
        return tuple(a for a in self.ledger.attempts if a.version_id == self.current.version_id)

    @property
    def rejection(self) -> Attempt | None:
        """The rejected attempt on the current tokens, edited since or not; None if a later one may have redeemed."""
        # Since they were issued: a new consent may bring the same refresh token.
        since = {a.claim_id for a in self.ledger.on_token(self.fingerprint) if a.claimed_at >= self.issued_at}
        of_these = (a for a in self.ledger.attempts if a in self.on_version or a.claim_id in since)
        said = [a for a in of_these if a.fate.may_have_redeemed]
        return said[-1] if said and said[-1].fate is Fate.REJECTED else None

    @property
    def stored_attempt(self) -> Attempt | None:
        """The attempt that stored the newest tokens that follow from the current token; None if it was not used."""
        return self.ledger.successor(self.fingerprint)

    @property
    def unresolved(self) -> tuple[Attempt, ...]:
        """The attempts that may have redeemed the current token without storing tokens that can be read."""
        if self.locked:
            return tuple(
                a for a in self.ledger.on_token(self.fingerprint) if a.fate.unresolved or a.fate is Fate.STORED
            )
        return self.ledger.unresolved(self.fingerprint)

    @property
    def unread_responses(self) -> tuple[Attempt, ...]:
        """The attempts on the current token whose response can't be read, and is kept."""
        return tuple(attempt for attempt in self.unresolved if attempt.fate is Fate.UNREAD)

    @property
    def issued_at(self) -> datetime:
        """When the current tokens were issued, as far as it is known: they were stored at this time at the latest."""
        return self.current.document.issued_at or self.current.stored_at

    @property
    def is_older_than_ledger(self) -> bool:
        """Whether the current set is so old that the ledger has forgotten that its refresh token was used."""
        document, newest = self.current.document, self.newest
        number = document.origin.number if document.origin else 0
        behind = newest is not None and number < newest.number
        return behind and self.ledger.has_forgotten(self.fingerprint, self.issued_at)

    @property
    def host(self) -> str | None:
        """The host that the token belongs to; None if nothing stored says it."""
        return self._says_whose.host if self._says_whose else None

    @property
    def grace(self) -> timedelta | None:
        """The grace that counts for the token; None if nothing stored says it."""
        return self._says_whose.grace if self._says_whose else None

    @property
    def _says_whose(self) -> Origin | Claim | None:
        # A document that a person saved may lack the key; then the newest claim says it.
        return self.current.document.origin or self.newest

    @property
    def claim_number(self) -> int:
        """The number of the newest claim that is known of, readable or not."""
        origin = self.current.document.origin
        return max(self.newest.number if self.newest else 0, origin.number if origin else 0)

    @property
    def missing_claim_id(self) -> str | None:
        """The claim that the current document names, if it is newer than any that could be read."""
        origin = self.current.document.origin
        known = self.newest.number if self.newest else 0
        return origin.claim_id if origin is not None and origin.number > known else None

    @property
    def newest_claim_id(self) -> str | None:
        """The claim that the next one follows, readable or not."""
        return self.missing_claim_id or (self.newest.claim_id if self.newest else None)

    @property
    def open_until(self) -> datetime | None:
        """When the newest claim ends, if it is open: nothing is stored under it, so a run may be redeeming.

        The claim of an earlier set holds back no consent: whatever that run brings, it doesn't follow from its tokens.
        """
        newest = self.newest
        if newest is None or self.ledger.attempts[-1].fate is not Fate.NO_RESULT:
            return None
        if self.current.is_consent and self._is_of_earlier_set(self.ledger.attempts[-1]):
            return None
        began = is_possible(newest.claimed_at, latest=self.now + CLOCK_ERROR)
        return newest.ends_at if began and self.now < newest.ends_at else None

    def _is_of_earlier_set(self, newest: Attempt) -> bool:
        """Whether a claim is on tokens that a consent replaced. Of one that nobody can read, the date says it.

        An attempt on the tokens of the consent shows that somebody put them back: the claim may be on their successor.
        """
        if newest.fingerprint == NO_TOKEN:
            return newest.claimed_at <= self.current.stored_at
        return not self.ledger.on_token(self.fingerprint)

    def next_claim_id(self, kind: ClaimStoreKind) -> str:
        """Derive the ID of the next claim; the first in a table follows the current version.

        The fixed root is the secret's own: claims that follow it may be there already, and so may their records.
        """
        first = self.current.version_id if kind is ClaimStoreKind.TABLE else None
        return claim_version_id(self.newest_claim_id or first)

    def next_claim(self, store: StoreName, *, fate: Fate, nonce: str) -> Claim:
        """Return a claim that follows the newest one; as it is, nobody redeems under it."""
        claim_id = self.next_claim_id(store.kind)
        return Claim(
            claim_id=claim_id,
            version_id=claim_id,
            attempt_number=0,
            claimed_at=self.now,
            fingerprint=NO_TOKEN,
            fate=fate,
            versions=int(store == IN_VERSIONS),
            time_to_live=timedelta(0),
            earlier=self.ledger.for_next_claim(self.now, self.fingerprint),
            number=self.claim_number + 1,
            host=self.host,
            grace=self.grace,
            nonce=nonce,
        )

    @property
    def claim_store(self) -> StoreName | None:
        """Where the claims are, by the document; None if it does not say."""
        origin = self.current.document.origin
        return origin.claim_store if origin else IN_VERSIONS if self.claims_in_versions else None

    @property
    def is_foreign(self) -> bool:
        """Whether neither a run nor a command of ours stored the current tokens, and they are not the first ones."""
        origin, document, fingerprint = self.current.document.origin, self.current.document, self.fingerprint
        if not document.refresh_token or self.missing_claim_id is not None or (origin and origin.token == fingerprint):
            return False
        attempts = [a for a in self.ledger.attempts if a.fate.is_attempt and a.fingerprint != NO_TOKEN]
        # A run brought them; or they were there before an attempt on them, which stands for one that a table lost.
        ours = any(
            a.next_fingerprint == fingerprint
            or (a.fingerprint == fingerprint and a.claimed_at <= self.current.stored_at)
            for a in attempts
        )
        return not ours and any(a.fingerprint != fingerprint for a in attempts)

    @property
    def foreign(self) -> ForeignSets | None:
        """What something else stored, the current set included."""
        origin = self.current.document.origin
        known = origin.foreign if origin else None
        if not self.is_foreign:
            return known
        return ForeignSets(
            count=1 + (known.count if known else 0),
            version_id=self.current.version_id,
            stored_at=self.current.stored_at,
        )

    def marked(self, policy: Policy) -> Origin:
        """Return the current document's origin for a command that stores the document again."""
        document = self.current.document
        origin = document.origin or Origin(
            host=self.host or policy.host,
            grace=self.counted_grace(policy),
            claim_store=policy.claim_store,
            lifetime=policy.lifetime,
        )
        return origin if self.is_foreign or not document.refresh_token else replace(origin, token=self.fingerprint)

    def counted_grace(self, policy: Policy) -> timedelta:
        """Return the smaller grace of the worker's and the stored one."""
        # The grace belongs to the token: a longer one in other settings makes no replay safe.
        return policy.replay_grace if self.grace is None else min(policy.replay_grace, self.grace)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class RunState:
    """What one run knows about itself."""

    limit: timedelta = timedelta(0)
    """How long it may take: no call of it is carried out later."""
    forced_version: str | None = None
    """The version that a forced run refers to: the one that it read first. None once it has redeemed."""
    resend: str | None = None
    """The claim of the attempt whose unknown outcome a person overrides. None once the run has redeemed."""
    forced_claims_a_day: int | None = None
    """How many claims may be forced in 24 hours; None if only the daily limit counts."""
    redeemed: bool = False
    """Whether it has claimed and redeemed: it does so once."""
    promoted_version: str | None = None
    """The version that it made current, if it has read nothing since."""
    staged: dict[str, TokenSet] = field(default_factory=dict)
    """Token sets that it stored, by version ID."""
    kept_tokens_left: set[str] = field(default_factory=set)
    """The version IDs of refused tokens that it could not decrypt or store."""
    kept_tokens_locked: dict[str, TokenRefreshError] = field(default_factory=dict)
    """Why KMS refuses to decrypt those of them that it does."""
    publishes: bool = False
    nonce: str = ""

    def forces(self, snapshot: Snapshot) -> bool:
        """Whether it may override what spares the provider."""
        return self.wants(snapshot) and snapshot.now >= self.forced_from(snapshot)

    def wants(self, snapshot: Snapshot) -> bool:
        """Whether it was told to: on the version that it read first, or because it names an attempt."""
        return snapshot.current.version_id == self.forced_version or self.names(snapshot)

    def names(self, snapshot: Snapshot) -> bool:
        """Whether it names the newest attempt of unknown outcome: the same event, come again, does so no more."""
        return any(attempt.claim_id == self.resend for attempt in snapshot.unresolved[-1:])

    def forced_from(self, snapshot: Snapshot) -> datetime:
        """When the daily limit of forced claims allows one."""
        limit, now = self.forced_claims_a_day, snapshot.now
        return now if limit is None else snapshot.ledger.forced_again_at(limit, now)
