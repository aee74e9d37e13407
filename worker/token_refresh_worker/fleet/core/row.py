"""A row of the index: when to look at one secret, and what the last run found there.

A row is a hint. The secret and its claims decide what a run does: a row that is too early costs one run that finds
nothing due, and a row that is lost comes back with the next resync.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from token_refresh.aws.arn import secret_name
from token_refresh.errors import ReauthorizationRequired
from token_refresh.stored.refresh_window import overdue_below
from token_refresh.stored.times import is_possible
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.run.outcome import CopyState, CurrentTokens

UNKNOWN_PROVIDER: Final = "unknown"
"""Provider of a secret that has no provider tag, until its first run has read the document."""

AHEAD: Final = timedelta(hours=1)
"""No run can be this far ahead of another: the services' clocks agree, and a run takes 15 minutes at most."""

BUSY: Final = "Busy"
"""What a row has for an error where a busy host refused the request (429): the host is there, and nothing failed."""
REJECTED: Final = ReauthorizationRequired.__name__
LONGEST_FLEET_PAUSE: Final = timedelta(days=31)
LONGEST_SLEEP: Final = timedelta(days=1)
"""Each secret is looked at this often, whatever its row says."""


class State(StrEnum):
    """What an operator sees of one secret. A run stores one of the first five; the others follow from the time."""

    HEALTHY = "healthy"
    """Nothing is due."""
    HELD = "held"
    """A request may have been received, and a repeat may revoke the grant.

    Fix: wait for the window's last quarter, or authorize again.
    """
    REAUTHORIZE = "reauthorize"
    """The provider rejected the grant. Fix: `token-refresh authorize SECRET`, or your `Grants`."""
    EMPTY = "empty"
    """No tokens: nobody has authorized yet, or the grant was revoked on purpose. Fix: as for `reauthorize`."""
    ERROR = "error"
    """A document, a setting or a permission is wrong. Fix: the worker's log has the error, with the command."""
    DUE = "due"
    """To be refreshed, or never looked at."""
    OVERDUE = "overdue"
    """Half of the refresh window is used up. Fix: look at its error, and at the provider's breaker."""
    PAUSED = "paused"
    """Somebody paused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """An operator's wish to leave secrets alone; it always ends."""

    at: datetime
    until: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Pauses of a whole fleet and of single providers; a secret's own pause is in its row."""

    fleet: Pause | None = None
    providers: Mapping[str, Pause] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRequest:
    """The last run that sent a token request; runs that send nothing leave it as it is."""

    at: datetime
    host: str | None
    """The host that got the refresh token."""
    error_type: str | None
    """How it failed at the provider, or `BUSY`; None if it gave new tokens, whatever became of them then."""
    failures: int
    """How many such runs in a row failed; 1 is a first failure. A refusal of a busy host changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """What the last run found."""

    at: datetime
    """Time of the run by the clock of Secrets Manager."""
    state: State = State.HEALTHY
    since: datetime
    """When the state became what it is."""
    outcome: str | None = None
    error_type: str | None = None
    requests: int = 0
    """Token requests that the run sent."""
    failures: int = 0
    """Failed runs in a row."""
    succeeded_at: datetime | None = None
    tokens: CurrentTokens = field(default_factory=CurrentTokens)
    rejected: bool = False
    """Whether the provider rejected the grant, and no run has succeeded since."""
    ending: bool = False
    """Whether it was time to say that the grant ends when a run last succeeded."""
    host: str | None = None
    """The token host that the document and its provider name; None where no run has read them."""
    refused_at: datetime | None = None
    """When Secrets Manager first refused this secret, since it last took new tokens for it."""
    sent: LastRequest | None = None
    copy: CopyState | None = None
    """How the published copy was; None where the fleet publishes none."""
    copy_behind_at: datetime | None = None
    """Since when the copy has not had the current access token."""
    copy_error: str | None = None
    """Why it could not be read or written."""
    mended: str | None = None
    """The error after which a run last succeeded, at `mended_at`: what else failed with it may succeed, too.

    After `BUSY`, that is the time of the refusal.
    """
    mended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transition that calls for an event."""

    transition: Transition
    since: datetime
    """What the event says, each time that it is sent."""
    found_at: datetime
    """Time of the run that found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One secret of a fleet."""

    secret_arn: str
    provider: str
    added_at: datetime
    next_at: datetime
    """When to look at the secret next."""
    seen: LastRun | None = None
    pause: Pause | None = None
    unsent: frozenset[Change] = frozenset()
    """Transitions that the bus has not taken yet."""

    @property
    def name(self) -> str:
        """The secret's name, without the six characters that Secrets Manager appends."""
        return secret_name(self.secret_arn)

    @property
    def host(self) -> str | None:
        """The token host; None where no run has read it yet."""
        return self.seen.host if self.seen else None

    @property
    def sent(self) -> LastRequest | None:
        """The last run that sent a request, if that was to the host of today."""
        sent = self.seen.sent if self.seen else None
        return sent if sent is not None and sent.host == self.host else None

    @property
    def is_retry(self) -> bool:
        """Whether the last request failed."""
        return self.sent is not None and self.sent.error_type not in {None, BUSY}

    @property
    def has_failed(self) -> bool:
        """Whether the last run, or the last request, failed; one that a busy host refused did not."""
        return self.is_retry or (self.seen is not None and self.seen.failures > 0)

    @property
    def is_living(self) -> bool:
        """Whether a run can keep it fresh: not without tokens, or with a dead grant."""
        return self.seen is None or self.seen.state not in {State.REAUTHORIZE, State.EMPTY}

    @property
    def copy_behind_at(self) -> datetime | None:
        """Since when the published copy has not had the current access token."""
        return self.seen.copy_behind_at if self.seen else None

    @property
    def is_refused(self) -> bool:
        """Whether Secrets Manager refused the secret, and has not taken new tokens for it since."""
        return self.seen is not None and self.seen.refused_at is not None

    @property
    def tokens(self) -> CurrentTokens:
        """The current tokens, as far as a run has read them."""
        return self.seen.tokens if self.seen else CurrentTokens()

    @property
    def half_window_at(self) -> datetime | None:
        """When half of the refresh window is used up, which makes a secret overdue."""
        due, expires_at = self.tokens.due_at, self.tokens.expires_at
        return None if due is None or expires_at is None else expires_at - overdue_below(expires_at - due, None)


def is_due(row: Row, now: datetime) -> bool:
    """Whether to look at a secret: at `next_at`, and whatever that says once a day, and before its tokens expire.

    A row may be wrong. Each time that a run writes itself is earlier, so only a wrong one waits for these.
    """
    if row.next_at <= now or row.seen is None or row.seen.at <= now - LONGEST_SLEEP:
        return True
    quarter = row.seen.tokens.last_quarter_at
    return quarter is not None and row.seen.at < quarter <= now


def pause_of_row(row: Row, pauses: Pauses, now: datetime) -> Pause | None:
    """Return the pause that holds up a row, of the fleet, its provider or itself: the one that ends last."""
    wanted = (pauses.fleet, pauses.providers.get(row.provider), row.pause)
    # Nobody wants a longer pause. The hour is for an operator's clock that runs ahead.
    latest = now + LONGEST_FLEET_PAUSE + AHEAD
    held = (p for p in wanted if p is not None and now < p.until and is_possible(p.until, latest=latest))
    return max(held, key=lambda p: p.until, default=None)


def state_of(row: Row, pauses: Pauses, now: datetime) -> State:
    """Return a secret's state at this moment. A secret that never reported is due."""
    if pause_of_row(row, pauses, now) is not None:
        return State.PAUSED
    if row.seen is None:
        return State.DUE
    # These never become overdue: a person has to act, and the objective counts what the fleet can do.
    if row.seen.state in {State.REAUTHORIZE, State.EMPTY, State.ERROR}:
        return row.seen.state
    # Before `held`: a secret that is running out needs somebody, whatever it waits for.
    half, due = row.half_window_at, row.tokens.due_at
    if half is not None and now >= half:
        return State.OVERDUE
    if row.seen.state is State.HELD:
        return State.HELD
    return State.DUE if due is None or now >= due else State.HEALTHY
