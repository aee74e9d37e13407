"""The protocol's table: from what is stored to the next step. The first check that matches decides.

stored                                                         step
our own claim is used up, or its version is no longer current  Release
tokens staged under a claim on the current version             Promote
tokens received for the refresh token of an edited copy        Carry, then Promote
AWSPENDING on the current version                              Tidy
the published copy shows another version                       Publish
the newest attempt was rejected, and the run is not forced     Stop
nothing is due, and the run is not forced                      Fresh
the newest claim is live and ours                              Redeem
the newest claim is live and another run's                     Wait
an attempt has to wait (backoff, hold, daily limit)            Wait, or Hold
anything else                                                  Append (a claim)
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from token_refresh.core.claims import Claim, ClaimEntry, Record, Redemption
from token_refresh.core.schedule import (
    DAY,
    Policy,
    claim_allowed_at,
    due_at,
    held_until,
    may_be_sent_again,
    next_attempt_at,
)
from token_refresh.core.snapshot import Snapshot, Spent, Standing, TokenSet
from token_refresh.core.versions import PENDING, claim_version_id, published_version_id


class Reason(StrEnum):
    """Why a run waits."""

    CLAIMED = "another run holds the claim"
    BACKOFF = "the backoff of a failed attempt is not over"
    DAILY_LIMIT = "the daily limit of claims is reached"


@dataclass(frozen=True, slots=True)
class Release:
    """End our own claim unused: it is used up, or its version is no longer current."""

    claim: ClaimEntry


@dataclass(frozen=True, slots=True)
class Promote:
    """Make staged tokens current, if the version that they follow still is."""

    staged: TokenSet


@dataclass(frozen=True, slots=True)
class Carry:
    """Stage received tokens again, on top of an edited copy of the version that was redeemed."""

    spent: Spent


@dataclass(frozen=True, slots=True)
class Tidy:
    """Take AWSPENDING off the current version."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Bring the published copy up to the current version."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The provider rejected the grant: a person must authorize again."""

    record: Record


@dataclass(frozen=True, slots=True)
class Fresh:
    """Nothing is due."""


@dataclass(frozen=True, slots=True)
class Redeem:
    """Redeem the current version's refresh token under our claim, then stage the answer."""

    claim: ClaimEntry


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave it to a later run."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Hold:
    """An outcome is unknown and a replay could cost the grant: nothing is sent before `until`, or before the expiry."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Append:
    """Append a claim to the chain."""

    claim: Claim


Action = Release | Promote | Carry | Tidy | Publish | Redeem | Append
Rest = Stop | Fresh | Wait | Hold
Step = Action | Rest
Check = Callable[[Snapshot, Standing, Policy], Step | None]


def plan(snapshot: Snapshot, standing: Standing, policy: Policy) -> Step:
    """Give the step of the first row of the module's table that matches."""
    for check in _CHECKS:
        step = check(snapshot, standing, policy)
        if step is not None:
            return step
    return Append(_next_claim(snapshot, policy))


def _release(snapshot: Snapshot, standing: Standing, _: Policy) -> Step | None:
    newest = snapshot.newest
    if newest is None or newest.claim_id != standing.claim_id:
        return None
    usable = newest.version_id == snapshot.current.version_id and snapshot.now < newest.ends_at
    return None if usable else Release(newest)


def _promote(snapshot: Snapshot, _standing: Standing, _: Policy) -> Step | None:
    return next((Promote(a.staged) for a in reversed(snapshot.attempts) if a.staged), None)


def _carry(snapshot: Snapshot, _standing: Standing, _: Policy) -> Step | None:
    spent = snapshot.spent
    if spent is None:
        return None
    return Promote(spent.carried) if spent.carried else Carry(spent)


def _tidy(snapshot: Snapshot, standing: Standing, _: Policy) -> Step | None:
    return Tidy() if standing.tidies and PENDING in snapshot.current.labels else None


def _publish(snapshot: Snapshot, standing: Standing, _: Policy) -> Step | None:
    document = snapshot.current.document
    if not standing.publishes or document.access_token is None or document.expires_at is None:
        return None
    shown = snapshot.published == published_version_id(snapshot.current.version_id)
    return None if shown else Publish()


def _stop(snapshot: Snapshot, standing: Standing, _: Policy) -> Step | None:
    record = snapshot.attempts[-1].record if snapshot.attempts else None
    if record is None or record.redemption is not Redemption.REJECTED or _forced(snapshot, standing):
        return None
    return Stop(record)


def _fresh(snapshot: Snapshot, standing: Standing, policy: Policy) -> Step | None:
    due = due_at(snapshot.current.document, policy)
    return Fresh() if due is not None and snapshot.now < due and not _forced(snapshot, standing) else None


def _live(snapshot: Snapshot, standing: Standing, _: Policy) -> Step | None:
    newest = snapshot.newest
    if newest is None or snapshot.newest_ended or snapshot.now >= newest.ends_at:
        return None
    return Redeem(newest) if newest.claim_id == standing.claim_id else Wait(newest.ends_at, Reason.CLAIMED)


def _held(snapshot: Snapshot, standing: Standing, policy: Policy) -> Step | None:
    since = snapshot.unknown_since
    if since is None or may_be_sent_again(since, snapshot.now, policy) or _forced(snapshot, standing):
        return None
    until = held_until(snapshot.current.document, policy) or snapshot.now
    until = max(until, next_attempt_at(snapshot.attempts[-1].claim), claim_allowed_at(snapshot.newest, snapshot.now))
    return Hold(since, until) if snapshot.now < until else None


def _backoff(snapshot: Snapshot, standing: Standing, _: Policy) -> Step | None:
    if not snapshot.attempts or _forced(snapshot, standing):
        return None
    until = next_attempt_at(snapshot.attempts[-1].claim)
    return Wait(until, Reason.BACKOFF) if snapshot.now < until else None


def _limited(snapshot: Snapshot, _standing: Standing, _: Policy) -> Step | None:
    until = claim_allowed_at(snapshot.newest, snapshot.now)
    return Wait(until, Reason.DAILY_LIMIT) if snapshot.now < until else None


_CHECKS: tuple[Check, ...] = (
    _release,
    _promote,
    _carry,
    _tidy,
    _publish,
    _stop,
    _fresh,
    _live,
    _held,
    _backoff,
    _limited,
)


def _forced(snapshot: Snapshot, standing: Standing) -> bool:
    return snapshot.current.version_id == standing.forced_version


def _next_claim(snapshot: Snapshot, policy: Policy) -> Claim:
    newest, version_id = snapshot.newest, snapshot.current.version_id
    known = newest.chain if newest else ()
    attempts = [e.attempt for e in known if e.version_id == version_id]
    return Claim(
        claim_id=claim_version_id(newest.claim_id if newest else None),
        version_id=version_id,
        attempt=max(attempts, default=0) + 1,
        claimed_at=snapshot.now,
        time_to_live=policy.claim_time_to_live,
        earlier=_still_matters(known, snapshot),
    )


def _still_matters(known: tuple[ClaimEntry, ...], snapshot: Snapshot) -> tuple[ClaimEntry, ...]:
    """Keep the last 24 hours, and the first attempt on the version whose outcome is unknown: its age decides on a hold.

    The daily limit bounds the first, so the list stays small however long a provider is down.
    """
    since = snapshot.unknown_since
    first_unknown = {a.claim.claim_id for a in snapshot.attempts if a.unresolved and a.claim.claimed_at == since}
    return tuple(e for e in known if e.claimed_at > snapshot.now - DAY or e.claim_id in first_unknown)
