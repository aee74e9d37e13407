"""The state of one token secret, read as a run reads it: what is stored, and what the next scheduled run would do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from token_refresh.cli.context import Context
from token_refresh.cli.secret.provider import settings_for
from token_refresh.cli.secret.regions import not_found
from token_refresh.cli.secret.storing import fields_of
from token_refresh.config import Settings
from token_refresh.core.claims import ClaimEntry, Redemption, read_record
from token_refresh.core.plan import Step, plan
from token_refresh.core.schedule import due_at
from token_refresh.core.snapshot import Snapshot, Standing
from token_refresh.core.versions import CURRENT, published_version_id, record_version_id, staged_version_id
from token_refresh.errors import InvalidSecretDocument, SecretEmpty, SecretNotFound
from token_refresh.ports import SecretStore
from token_refresh.refresh.reading import Reader
from token_refresh.stored.document import TokenDocument

ATTEMPTS_LISTED = 5

_SCHEDULED = Standing(forced=False, forced_version=None, claim_id=None, tidies=False, publishes=False)


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
        return self.settings.published_secret_id is not None and self.snapshot.published != current


def read_state(context: Context) -> State:
    """Read the token secret, with no more permission than the function has.

    Raises:
        TokenRefreshError: It can't be read, or is not a token document.
    """
    context.settings()  # A wrong variable is reported first.
    store = context.store()
    settings = _settings(context, store)
    published = context.store(settings.published_secret_id) if settings.published_secret_id else None
    reader = Reader(store=store, published=published, secret_id=context.secret_id, policy=settings.policy)
    try:
        snapshot = reader.snapshot(acting=False, own=None)
    except (SecretEmpty, InvalidSecretDocument) as failure:
        raise unusable(context, failure) from None
    current = store.read(label=CURRENT)
    return State(
        context=context,
        settings=settings,
        snapshot=snapshot,
        stored_at=current.created_at if current else snapshot.now,
        step=plan(snapshot, _SCHEDULED, settings.policy),
        attempts=_past_attempts(store, snapshot),
    )


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


def _past_attempts(store: SecretStore, snapshot: Snapshot) -> tuple[PastAttempt, ...]:
    chain = snapshot.newest.chain if snapshot.newest else ()
    return tuple(_past_attempt(store, snapshot, entry) for entry in reversed(chain[-ATTEMPTS_LISTED:]))


def _past_attempt(store: SecretStore, snapshot: Snapshot, entry: ClaimEntry) -> PastAttempt:
    def found(result: Result, *, error: str | None = None, version_id: str | None = None) -> PastAttempt:
        return PastAttempt(
            claim_id=entry.claim_id,
            claimed_at=entry.claimed_at,
            attempt=entry.attempt,
            result=result,
            error=error,
            version_id=version_id,
        )

    staged = store.read(version_id=staged_version_id(entry.claim_id, entry.version_id))
    if staged is not None:
        # Tokens that were received for the current version have not been promoted yet.
        waiting = entry.version_id == snapshot.current.version_id
        return found(Result.STAGED if waiting else Result.REFRESHED, version_id=staged.version_id)
    stored = store.read(version_id=record_version_id(entry.claim_id))
    if stored is not None and stored.value is not None:
        record = read_record(stored.version_id, stored.value)
        return found(_RESULTS[record.redemption], error=record.error)
    newest = snapshot.newest
    live = newest is not None and newest.claim_id == entry.claim_id and snapshot.now < newest.ends_at
    return found(Result.IN_PROGRESS if live else Result.UNKNOWN)


_RESULTS = {
    Redemption.NOT_REDEEMED: Result.NOT_REDEEMED,
    Redemption.REJECTED: Result.REJECTED,
    Redemption.UNKNOWN: Result.UNKNOWN,
}
