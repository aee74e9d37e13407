"""The state of one token secret, read as a run reads it: what is stored, and what the next scheduled run would do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from token_refresh.bootstrap import SystemClock, build_run
from token_refresh.cli.context import TIME_LIMIT_SECONDS, Context
from token_refresh.cli.secret.provider import settings_for
from token_refresh.cli.secret.regions import not_found
from token_refresh.cli.secret.storing import fields_of
from token_refresh.config import Settings
from token_refresh.core.attempts import Attempt, Fate
from token_refresh.core.plan import plan
from token_refresh.core.schedule import due_at
from token_refresh.core.snapshot import RunState, Snapshot
from token_refresh.core.steps import Step
from token_refresh.core.versions import CURRENT, published_version_id, staged_version_id
from token_refresh.errors import InvalidSecretDocument, SecretEmpty, SecretNotFound
from token_refresh.events import Trigger
from token_refresh.ports import ClaimStore, SecretStore
from token_refresh.stored.document import TokenDocument

ATTEMPTS_LISTED = 5

_SCHEDULED = RunState()


class Result(StrEnum):
    """What became of an attempt."""

    REFRESHED = "refreshed"
    STAGED = "staged"
    """It received tokens, and they are not current yet."""
    IN_PROGRESS = "in_progress"
    NOT_REDEEMED = "not_redeemed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """One attempt to refresh, from the versions that it left."""

    claim_id: str
    claimed_at: datetime
    attempt: int
    result: Result
    error: str | None
    version_id: str | None
    """The version that holds the tokens it received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What `status` prints and `doctor` checks."""

    context: Context
    settings: Settings
    snapshot: Snapshot
    stored_at: datetime
    """When the current version was stored."""
    step: Step
    """What the next scheduled run does first."""
    attempts: tuple[PastAttempt, ...]
    """The newest first."""

    @property
    def document(self) -> TokenDocument:
        """Give the current token document."""
        return self.snapshot.current.document

    @property
    def due_at(self) -> datetime | None:
        """Say from when on a refresh is due; None: now."""
        return due_at(self.document, self.settings.policy)

    @property
    def left(self) -> timedelta | None:
        """How long the access token still lives; negative if it has expired."""
        return None if self.document.expires_at is None else self.document.expires_at - self.snapshot.now

    @property
    def published_lags(self) -> bool:
        """Whether the published copy is of another version than the current one."""
        current = published_version_id(self.snapshot.current.version_id)
        published = self.snapshot.published
        lags = published is None or published.version_id != current
        return self.settings.published_secret_id is not None and lags


def read_state(context: Context) -> State:
    """Read the token secret, with no more permission than the function has.

    Raises:
        TokenRefreshError: It can't be read, or is not a token document.
    """
    context.settings()  # A wrong variable is reported first.
    store = context.store()
    settings = _settings(context, store)
    run = build_run(
        settings,
        Trigger(name="cli", dry_run=True),
        clock=SystemClock(),
        log=_Silent(),
        time_left_seconds=TIME_LIMIT_SECONDS,
        client=context.run_client(),
    )
    try:
        snapshot = run.read()
    except (SecretEmpty, InvalidSecretDocument) as failure:
        raise unusable(context, failure) from None
    return State(
        context=context,
        settings=settings,
        snapshot=snapshot,
        stored_at=snapshot.current.stored_at,
        step=plan(snapshot, _SCHEDULED, settings.policy),
        attempts=_past_attempts(store, run.parts.claims, snapshot),
    )


class _Silent:
    """A log that nobody reads: looking is no run."""

    def info(self, event: str, **fields: object) -> None:
        """Log nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Log nothing."""


def _settings(context: Context, store: SecretStore) -> Settings:
    try:
        return settings_for(context, fields_of(store.read(label=CURRENT)))
    except SecretNotFound as failure:
        raise not_found(context, failure, command="status") from None


def unusable(context: Context, failure: SecretEmpty | InvalidSecretDocument) -> SecretEmpty | InvalidSecretDocument:
    """Say which secret holds no token set, and the commands that mend it."""
    where = f"secret {context.secret_id} in {context.region}"
    authorize = context.command("authorize")
    if isinstance(failure, SecretEmpty):
        return SecretEmpty(f"{where} has no value yet. Get the first token set: `{authorize}`")
    if _is_published_copy(context):
        return InvalidSecretDocument(
            f"{where} is the published copy for consumers, which has no refresh token. Run the command on the token "
            "secret that it is published from (the function's TOKEN_SECRET_ID)"
        )
    reason = str(failure).partition(";")[0]
    return InvalidSecretDocument(
        f"{where} holds no token set: {reason}. Bring the last good one back: `{context.command('restore')}`. If "
        f"there is none: `{authorize}`"
    )


def _is_published_copy(context: Context) -> bool:
    fields = fields_of(context.store().read(label=CURRENT))
    return "sourceVersionId" in fields and "refreshToken" not in fields


def _past_attempts(store: SecretStore, claims: ClaimStore, snapshot: Snapshot) -> tuple[PastAttempt, ...]:
    attempts = snapshot.ledger.attempts[-ATTEMPTS_LISTED:]
    return tuple(_past_attempt(store, claims, snapshot, attempt) for attempt in reversed(attempts))


def _past_attempt(store: SecretStore, claims: ClaimStore, snapshot: Snapshot, attempt: Attempt) -> PastAttempt:
    def found(result: Result, *, error: str | None = None, version_id: str | None = None) -> PastAttempt:
        return PastAttempt(
            claim_id=attempt.claim_id,
            claimed_at=attempt.claimed_at,
            attempt=attempt.attempt_number,
            result=result,
            error=error,
            version_id=version_id,
        )

    staged_id = staged_version_id(attempt.claim_id, attempt.version_id)
    if attempt.fate is Fate.STORED or store.read(version_id=staged_id) is not None:
        # Tokens that were received for the current version have not been promoted yet.
        waiting = attempt.version_id == snapshot.current.version_id
        return found(Result.STAGED if waiting else Result.REFRESHED, version_id=staged_id)
    record = claims.record_of(attempt.claim_id)
    fate = record.fate if record else attempt.fate
    if fate is not Fate.SILENT:
        return found(_RESULTS[fate], error=record.error if record else None)
    newest = snapshot.newest
    live = newest is not None and newest.claim_id == attempt.claim_id and snapshot.now < newest.ends_at
    return found(Result.IN_PROGRESS if live else Result.UNKNOWN)


_RESULTS = {
    Fate.NOT_REDEEMED: Result.NOT_REDEEMED,
    Fate.REJECTED: Result.REJECTED,
    Fate.UNKNOWN: Result.UNKNOWN,
}
