"""The state of one token secret, read as a run reads it: what is stored, and what the next scheduled run would do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from token_refresh.adapters.secrets_manager import SecretsManagerSecret
from token_refresh.bootstrap import SystemClock, build_run, environment, secrets_manager_client
from token_refresh.cli.aws import region_name
from token_refresh.config import Settings, read_settings
from token_refresh.core.attempts import Attempt, Fate
from token_refresh.core.plan import plan
from token_refresh.core.schedule import Policy, due_at
from token_refresh.core.snapshot import RunState, Snapshot
from token_refresh.core.steps import Step
from token_refresh.core.versions import published_version_id, staged_version_id
from token_refresh.events import Trigger
from token_refresh.ports import ClaimStore, Deadline, SecretStore
from token_refresh.refresh import Run
from token_refresh.stored.document import TokenDocument

TIME_LIMIT_SECONDS = 60.0
"""What a run from the command line may take, claims that live shorter aside."""

RUNS_SHOWN = 5

_SCHEDULED = RunState()


class Result(StrEnum):
    """What became of an attempt."""

    REFRESHED = "refreshed"
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
    """What `status` shows and `doctor` looks at."""

    secret_id: str
    region: str
    policy: Policy
    snapshot: Snapshot
    stored_at: datetime
    """When the current version was stored."""
    step: Step
    """What the next scheduled run does first."""
    attempts: tuple[PastAttempt, ...]
    """The newest first."""
    published_secret_id: str | None

    @property
    def document(self) -> TokenDocument:
        """Give the current token document."""
        return self.snapshot.current.document

    @property
    def due_at(self) -> datetime | None:
        """Say from when on it is due; None: at once."""
        return due_at(self.document, self.policy)

    @property
    def left(self) -> timedelta | None:
        """How long the access token still lives; negative where it has expired."""
        return None if self.document.expires_at is None else self.document.expires_at - self.snapshot.now

    @property
    def published_lags(self) -> bool:
        """Whether the published copy shows another version than the current one."""
        current = published_version_id(self.snapshot.current.version_id)
        published = self.snapshot.published
        return self.published_secret_id is not None and (published is None or published.version_id != current)


def open_run(*, force: bool = False, dry_run: bool = False, log: object = None) -> tuple[Settings, Run]:
    """Put together the run that the function would make, with the operator's own AWS credentials.

    Raises:
        ConfigurationError: A setting is wrong or missing.
    """
    settings = read_settings(environment())
    # A claim must outlive its run, whatever its time to live is set to.
    time_left_seconds = min(TIME_LIMIT_SECONDS, settings.policy.claim_time_to_live.total_seconds() - 1)
    run = build_run(
        settings,
        Trigger(name="cli", force=force, dry_run=dry_run),
        clock=SystemClock(),
        log=log or Silent(),  # type: ignore[arg-type]  # both are logs
        time_left_seconds=time_left_seconds,
    )
    return settings, run


def open_store(secret_id: str) -> SecretStore:
    """Give another secret, by its name or ARN.

    Raises:
        ConfigurationError: There is no AWS region, or the AWS configuration can't be read.
    """
    clock = SystemClock()
    deadline = Deadline(clock=clock, at=clock.monotonic() + TIME_LIMIT_SECONDS)
    return SecretsManagerSecret(secrets_manager_client(), secret_id, deadline)


class Silent:
    """A log that nobody reads."""

    def info(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Say nothing."""


def read_state() -> State:
    """Read the configured secret, with no more permission than the function has.

    Raises:
        TokenRefreshError: It can't be read, or is not what it should be.
    """
    settings, run = open_run(dry_run=True)
    snapshot = run.read()
    return State(
        secret_id=settings.token_secret_id,
        region=region_name(),
        policy=settings.policy,
        snapshot=snapshot,
        stored_at=snapshot.current.stored_at,
        step=plan(snapshot, _SCHEDULED, settings.policy),
        attempts=_past_attempts(run.parts.store, run.parts.claims, snapshot),
        published_secret_id=settings.published_secret_id,
    )


def _past_attempts(store: SecretStore, claims: ClaimStore, snapshot: Snapshot) -> tuple[PastAttempt, ...]:
    attempts = snapshot.ledger.attempts[-RUNS_SHOWN:]
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
        return found(Result.REFRESHED, version_id=staged_id)
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
