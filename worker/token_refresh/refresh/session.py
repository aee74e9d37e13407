"""What one run acts with, and what it remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from token_refresh.core.claims import Claim, ClaimEntry, Record, Redemption, write_record
from token_refresh.core.schedule import Policy
from token_refresh.core.snapshot import Snapshot, Standing
from token_refresh.core.versions import OUTCOME, record_version_id
from token_refresh.errors import DeadlineExceeded, SecretStoreError, TokenRefreshError
from token_refresh.ports import Clock, Deadline, Log, SecretStore, TokenEndpoint
from token_refresh.providers.provider import Provider
from token_refresh.refresh.reading import Reader
from token_refresh.refresh.requests import (
    PreparedRefresh,
    PreviousCredentials,
    needs_refresh_token,
    no_previous_credentials,
)
from token_refresh.stored.credentials import ClientCredentials
from token_refresh.stored.document import TokenDocument

LEAST_REQUEST_SECONDS: Final = 5.0
"""A token request is not begun with less."""

STORE_RESERVE_SECONDS: Final = 10.0
"""Kept back from every token request, so that its answer can be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run acts with."""

    store: SecretStore
    published: SecretStore | None
    """The secret that consumers read, where one is configured."""
    endpoint: Callable[[Provider], TokenEndpoint]
    """Made only where a token request is sent: a run that finds the token fresh imports no HTTP client."""
    credentials: Callable[[TokenDocument], ClientCredentials]
    """Read afresh at each redemption."""
    provider: Provider
    """As configured; `Provider.for_document` applies what a document says."""
    nonce: Callable[[], str]
    clock: Clock
    log: Log
    previous_credentials: PreviousCredentials = no_previous_credentials


@dataclass(slots=True, kw_only=True)
class Session:
    """One run's memory. What it did not see itself is never trusted: it only saves reading what this run just wrote."""

    parts: Parts
    policy: Policy
    secret_id: str
    deadline: Deadline
    request_timeout_seconds: float
    standing: Standing

    snapshot: Snapshot | None = None
    """What was read last."""
    requests_sent: int = 0
    claim: Claim | None = None
    """The claim that this run holds, as long as nothing was sent under it."""
    prepared: PreparedRefresh | None = None
    """Built before the claim, so that a wrong set-up is found out with nothing claimed."""
    redeemed: set[str] = field(default_factory=set)
    """Versions that hold tokens which this run received."""
    recovered: set[str] = field(default_factory=set)
    """Versions that this run promoted for another that was interrupted."""
    publish_failure: TokenRefreshError | None = None
    """Raised at the end: the refresh comes first."""

    _read_at: float = 0.0

    def read(self, *, own: Claim | None = None) -> Snapshot:
        """Read the stored state; `own` is a claim that this run appended a moment ago."""
        parts = self.parts
        reader = Reader(
            store=parts.store,
            published=parts.published,
            secret_id=self.secret_id,
            policy=self.policy,
            needs_refresh_token=needs_refresh_token(parts.provider),
        )
        acting = self.standing.forced or bool(self.redeemed)
        snapshot = reader.snapshot(acting=acting, own=own)
        parts.provider.for_document(snapshot.current.document.fields)  # Refuse a document of another provider.
        self._read_at = parts.clock.monotonic()
        return self.note(snapshot)

    def note(self, snapshot: Snapshot) -> Snapshot:
        """Remember what is stored now."""
        self.snapshot = snapshot
        return snapshot

    def hold(self, claim: Claim | None) -> None:
        """Remember the claim that this run holds and has not used, or that it holds none any more."""
        self.claim = claim
        self.standing = replace(self.standing, claim_id=claim.claim_id if claim else None)

    def service_now(self) -> datetime:
        """Give the service's time: what it said last, and what has passed since."""
        assert self.snapshot is not None  # noqa: S101 - nothing is timed before the first read
        return self.snapshot.now + timedelta(seconds=self.parts.clock.monotonic() - self._read_at)

    def record(self, claim: ClaimEntry, redemption: Redemption, error: str | None = None) -> None:
        """Record how an attempt ended without tokens; where that fails, the claim ends with its time to live."""
        record = Record(redemption=redemption, error=error, recorded_at=self.service_now())
        try:
            self.parts.store.put(record_version_id(claim.claim_id), write_record(record, claim), label=OUTCOME)
        except SecretStoreError as failure:
            self.parts.log.warning("record_not_stored", claim_id=claim.claim_id, error_type=type(failure).__name__)

    def check_time(self) -> None:
        """Refuse to begin what could not be finished.

        Raises:
            DeadlineExceeded: Too little time is left to redeem and store.
        """
        needed = LEAST_REQUEST_SECONDS + STORE_RESERVE_SECONDS
        if self.deadline.remaining_seconds < needed:
            raise DeadlineExceeded(
                f"{max(0.0, self.deadline.remaining_seconds):.0f} s are left for secret {self.secret_id} and a refresh "
                f"needs {needed:.0f} s; nothing was redeemed. Raise the function's timeout"
            )
