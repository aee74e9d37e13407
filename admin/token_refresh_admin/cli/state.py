"""The state of one token secret, read as a run reads it: what is stored, and what the next scheduled run would do."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from token_refresh.errors import (
    ConfigurationError,
    InvalidSecretDocument,
    SecretEmpty,
    SecretFull,
    SecretNotFound,
    TokenRefreshError,
)
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.lookups import saying_where
from token_refresh_admin.cli.replicas import Replica, read_replicas
from token_refresh_worker.core.attempts import DAY, Attempt, Fate
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.schedule import GrantEnd, due_at, grant_end, run_period
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import AwaitOutcome, Rejected, Step, Wait
from token_refresh_worker.core.versions import published_version_id, staged_version_id
from token_refresh_worker.oauth.revocation import CLIENT_CODES
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM, VERSIONS_A_DAY
from token_refresh_worker.run.outcome import CopyState
from token_refresh_worker.run.ports import ClaimStore, RunDependencies
from token_refresh_worker.run.run import next_step
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.run.version_capacity import check_places, needed_by_refresh
from token_refresh_worker.stored.document import TokenDocument

ATTEMPTS_LISTED: Final = 5

SECRET_IS_BROKEN: Final = (SecretNotFound, SecretEmpty, InvalidSecretDocument, ConfigurationError)
"""Errors that say how a secret is, and not who may read it."""


class AttemptResult(StrEnum):
    """How `status` names an attempt where `Fate` alone does not say it."""

    REFRESHED = "refreshed"
    STAGED = "staged"
    """It received tokens, and they are not current yet."""
    KEPT_TOKENS = "kept"
    """It received tokens, Secrets Manager refused them, and the claim table keeps them."""
    IN_PROGRESS = "in_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """One attempt to refresh, as the ledger lists it."""

    attempt: Attempt
    result: AttemptResult | Fate
    error: str | None
    version_id: str | None
    """The version that holds the tokens it received."""

    @property
    def is_of_client(self) -> bool:
        """Whether it failed since the provider rejected the client."""
        return self.error in CLIENT_CODES

    @property
    def is_fine(self) -> bool:
        """Whether nobody has to look at it."""
        return self.result in {AttemptResult.REFRESHED, AttemptResult.IN_PROGRESS, Fate.PAUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """What `status` prints and `doctor` checks."""

    context: Context
    settings: Settings
    snapshot: Snapshot
    step: Step
    """What the next scheduled run does first."""
    locked_claim: VersionEntry | None
    """The newest claim, where KMS refuses to decrypt it."""
    locked_set: VersionEntry | None
    """The newest version that may hold a living set, where the current one is dead and KMS refuses to decrypt it."""
    attempts: tuple[PastAttempt, ...]
    """The newest first."""
    publish_failure: TokenRefreshError | None
    """Why the published copy can't be read."""
    replicas: tuple[Replica, ...] | None
    """The published secret's in other regions; None if nobody looked."""
    client_failure: TokenRefreshError | None
    """Why a run would find no client credentials; None also where the settings don't say where they are."""
    full: SecretFull | None
    """Until when the secret has no place for new tokens; None also where the caller may not list its versions."""

    @property
    def document(self) -> TokenDocument:
        """Return the current token document."""
        return self.snapshot.current.document

    @property
    def retry_at(self) -> datetime | None:
        """Say when a scheduled run tries again, where a rule makes it wait."""
        match self.step:
            case Wait(until=until) | AwaitOutcome(until=until) | Rejected(retry_at=until):
                return until
        return None

    @property
    def due_at(self) -> datetime | None:
        """Say from when on a refresh is due; None: now."""
        return due_at(self.document, self.settings.policy)

    @property
    def grant_end(self) -> GrantEnd | None:
        """Say when the grant ends unless a refresh prolongs it; None if nobody knows."""
        return grant_end(self.document, self.snapshot.current.stored_at, self.settings.policy)

    @property
    def left(self) -> timedelta | None:
        """How long the access token still lives; negative if it has expired."""
        return None if self.document.expires_at is None else self.document.expires_at - self.snapshot.now

    @property
    def lifetime(self) -> timedelta | None:
        """How long an access token lives: as the token set says, else as the settings do."""
        return self.document.lifetime or self.settings.policy.lifetime

    @property
    def host(self) -> str:
        """The host that the refresh token belongs to, by what is stored, else by the settings."""
        return self.snapshot.host or self.settings.policy.host

    @property
    def claims_today(self) -> tuple[int, int]:
        """Count the claims of the last 24 hours, and say how many there may be."""
        recent = [a for a in self.snapshot.ledger.attempts if a.claimed_at > self.snapshot.now - DAY]
        free = max(0, VERSIONS_A_DAY - sum(a.versions for a in recent))
        used = sum(a.fate.is_attempt for a in recent)
        return used, used + free // VERSIONS_A_CLAIM[self.settings.policy.claim_store.kind]

    @property
    def period(self) -> timedelta:
        """The longest time between two scheduled runs: as deployed, else as a deployment has it by default."""
        return self.settings.run_period or run_period(self.document, self.settings.policy)

    @property
    def published_is_older(self) -> bool:
        """Whether services read another access token than the current one, or none."""
        failure = self.publish_failure
        copy = CopyState.of(self.snapshot, failure, is_unread=failure is not None)
        return self.settings.published_secret_id is not None and copy is CopyState.OLDER

    @property
    def published_lags(self) -> bool:
        """Whether the published copy is of another version than the current one."""
        published, current = self.snapshot.published, published_version_id(self.snapshot.current.version_id)
        return self.settings.published_secret_id is not None and (published is None or published.version_id != current)


def read_state(context: Context) -> SecretState:
    """Read the token secret, with no more permission than the function has; only replicas take one more."""
    with saying_where(context):
        context.settings()  # A wrong variable is reported first.
        settings = context.settings_for(context.stored())
        run = context.run(settings)
        memory, claims = run.memory, run.parts.claims
        snapshot = run.reader.read()
        attempts = tuple(
            _past_attempt(claims, snapshot, attempt)
            for attempt in reversed(snapshot.ledger.attempts[-ATTEMPTS_LISTED:])
        )
    return SecretState(
        context=context,
        settings=settings,
        snapshot=snapshot,
        step=next_step(snapshot, RunState(), settings.policy),
        locked_claim=memory.locked_claim,
        locked_set=memory.locked_set,
        attempts=attempts,
        publish_failure=memory.publish_failure,
        replicas=_replicas(context, settings.published_secret_id),
        client_failure=_client_failure(context, run.parts, settings, snapshot),
        full=_full(run.parts, snapshot),
    )


def _full(parts: RunDependencies, snapshot: Snapshot) -> SecretFull | None:
    try:
        needed = needed_by_refresh(parts.policy.claim_store.kind, snapshot.ledger.attempts)
        check_places(parts, snapshot.now, needed, "no run refreshes before that")
    except TokenRefreshError as failure:  # The look may be repeated; all else is known.
        return failure if isinstance(failure, SecretFull) else None
    return None


def _replicas(context: Context, published: str | None) -> tuple[Replica, ...] | None:
    """Read them with a permission that the function has not; None without it."""
    if published is None:
        return ()
    with suppress(TokenRefreshError):
        return read_replicas(context, published)
    return None


def _client_failure(
    context: Context, parts: RunDependencies, settings: Settings, snapshot: Snapshot
) -> TokenRefreshError | None:
    """Say why each refresh fails before its claim: the client credentials are gone, or are none."""
    # Without the function's settings, a document without credentials says nothing: the function may have a secret.
    known = context.source.function is not None or settings.client_secret_id is not None
    try:
        parts.credentials(snapshot.current.document)
    except SECRET_IS_BROKEN as failure:
        return failure if known or isinstance(failure, InvalidSecretDocument) else None
    except TokenRefreshError:
        return None  # The caller may not read them, or not now: that says nothing about the function.
    return None


def _past_attempt(claims: ClaimStore, snapshot: Snapshot, attempt: Attempt) -> PastAttempt:
    # Each record is one read; attempts whose tokens are stored have none.
    result, is_stored = _result(snapshot, attempt), attempt.fate is Fate.STORED
    record = None if is_stored else claims.record_of(attempt.claim_id)
    stored = staged_version_id(attempt.claim_id, attempt.version_id) if is_stored else None
    return PastAttempt(attempt=attempt, result=result, error=record.error if record else None, version_id=stored)


def _result(snapshot: Snapshot, attempt: Attempt) -> AttemptResult | Fate:
    match attempt.fate:
        case Fate.STORED:
            waiting = snapshot.stored_attempt is not None and attempt.claim_id == snapshot.stored_attempt.claim_id
            return AttemptResult.STAGED if waiting else AttemptResult.REFRESHED
        case Fate.NO_RESULT if (kept := snapshot.kept_tokens) and kept.claim.claim_id == attempt.claim_id:
            return AttemptResult.KEPT_TOKENS
        case Fate.NO_RESULT:
            newest = snapshot.newest
            live = newest is not None and newest.claim_id == attempt.claim_id and snapshot.now < newest.ends_at
            return AttemptResult.IN_PROGRESS if live else Fate.NO_RESULT
        case fate:
            return fate
