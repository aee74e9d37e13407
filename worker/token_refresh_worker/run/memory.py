"""What one run remembers: what it read last, and what it wrote itself, since a later read may be stale."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.core.claims import Claim, Record
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.snapshot import RunState, Snapshot, TokenSet
from token_refresh_worker.oauth.scopes import lost_scopes, scopes_of
from token_refresh_worker.run.ports import Clock
from token_refresh_worker.stored.document import TokenDocument


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Memory(RunState):
    """State of one run: the last snapshot, what this run wrote, and which promotions were refused."""

    clock: Clock
    snapshot: Snapshot | None = None
    """What was read last."""
    host: str | None = None
    """The token host, once it is known with what was read."""
    newest_claim: Claim | None = None
    """The newest claim that this run appended, or found when its own was refused."""
    locked_claim: VersionEntry | None = None
    """The newest claim, where KMS refuses to decrypt it."""
    locked_set: VersionEntry | None = None
    """The newest version that may hold a living set, where the current one is dead and KMS refuses to decrypt it."""
    records: dict[str, Record] = field(default_factory=dict)
    """How this run's attempt ended, by claim ID."""
    received: set[str] = field(default_factory=set)
    """Versions that hold tokens that this run received."""
    recovered: set[str] = field(default_factory=set)
    """Versions that this run made current for another run that was interrupted."""
    replaced: TokenSet | None = None
    """What was current before this run first made tokens current, or tried to."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    """Promotions that were refused: from which version, to which."""
    rejected: dict[str, str] = field(default_factory=dict)
    """The version whose refresh token the provider rejected in this run, and how: the status, and the error code or the
    values that the provider's profile names."""
    foreign_version: str | None = None
    """The current version that neither a run nor a command of ours stored, as this run read it."""
    requests_sent: int = 0
    unread_stored: bool = False
    """Whether a response that can't be read is stored."""
    copy_unread: bool = False
    """Whether the published copy could not be read."""
    publish_failure: TokenRefreshError | None = None
    """Raised at the end: the refresh comes first."""
    _read_at: float = 0.0

    def note_read(self, snapshot: Snapshot) -> Snapshot:
        """Remember what was just read."""
        self._read_at = self.clock.monotonic()
        # What was just read may be stale, also about this run's own promotion.
        self.promoted_version = None
        self.snapshot = snapshot
        self.foreign_version = snapshot.current.version_id if snapshot.is_foreign else self.foreign_version
        return snapshot

    def note_promoted(self, snapshot: Snapshot, promoted: TokenSet) -> Snapshot:
        """Remember that this run made a token set current; nothing has to be read to know that."""
        self.promoted_version = promoted.version_id
        is_dead = snapshot.is_dead and promoted.version_id not in self.received
        self.snapshot = replace(snapshot, current=promoted, successor=None, is_dead=is_dead, living=None)
        return self.snapshot

    def note_claimed(self, claim: Claim) -> None:
        """Remember that this run holds a claim: from here on it is no longer forced, and claims no more."""
        self.newest_claim = claim
        self.redeemed, self.forced_version, self.resend = True, None, None

    def note_staged(self, version_id: str, document: TokenDocument, *, received: bool) -> TokenSet:
        """Remember a token set that this run stored."""
        staged = TokenSet(version_id=version_id, stored_at=self.service_now(), document=document)
        self.staged[version_id] = staged
        if received:
            self.received.add(version_id)
        return staged

    @property
    def scopes_lost(self) -> tuple[str, ...]:
        """The scopes of the tokens that this run replaced which the current ones lack, by what both documents say."""
        replaced, known = self.replaced, self.snapshot
        if replaced is None or known is None or known.current.version_id not in self.received | self.recovered:
            return ()
        return lost_scopes(scopes_of(replaced.document), scopes_of(known.current.document))

    def stop_publishing(self, failure: TokenRefreshError | None = None) -> None:
        """Publish no more in this run."""
        self.publish_failure = failure
        self.publishes = False

    def service_now(self) -> datetime:
        """Return the services' time: what they said last, and what has passed since."""
        assert self.snapshot is not None  # noqa: S101 - nothing is timed before the first read
        # Never this machine's time of day: claims of two machines are compared by it.
        return self.snapshot.now + timedelta(seconds=self.clock.monotonic() - self._read_at)
