"""Objects for tests, with everything that a test is not about set to something plausible."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from token_refresh.core.claims import Claim, ClaimEntry, Record, Redemption
from token_refresh.core.schedule import Policy
from token_refresh.core.snapshot import Attempt, Snapshot, Spent, Standing, TokenSet
from token_refresh.secret_value import SecretValue
from token_refresh.stored.document import TokenDocument, read_document

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def fields(
    *, expires_at: datetime | None = NOW + HOUR, issued_at: datetime | None = None, **others: Any
) -> dict[str, Any]:
    """A stored document's fields in camel case; due at NOW unless told otherwise."""
    document = {"accessToken": "access-0", "refreshToken": "refresh-0", "clientId": "client", "clientSecret": "hush"}
    times = {"expiresAt": expires_at, "issuedAt": issued_at}
    return document | {name: ms(moment) for name, moment in times.items() if moment} | others


def text(**changes: Any) -> SecretValue:
    return SecretValue(json.dumps(fields(**changes)))


def document(**changes: Any) -> TokenDocument:
    return read_document(text(**changes))


def token_set(
    version_id: str = "v0", *, labels: frozenset[str] = frozenset({"AWSCURRENT"}), **changes: Any
) -> TokenSet:
    return TokenSet(version_id=version_id, labels=labels, document=document(**changes))


def entry(
    claim_id: str = "c1", *, version_id: str = "v0", attempt: int = 1, claimed_at: datetime = NOW - HOUR
) -> ClaimEntry:
    return ClaimEntry(claim_id=claim_id, version_id=version_id, attempt=attempt, claimed_at=claimed_at)


def claim(
    claim_id: str = "c1",
    *,
    version_id: str = "v0",
    attempt: int = 1,
    claimed_at: datetime = NOW - HOUR,
    time_to_live: timedelta = 2 * MINUTE,
    earlier: tuple[ClaimEntry, ...] = (),
) -> Claim:
    return Claim(
        claim_id=claim_id,
        version_id=version_id,
        attempt=attempt,
        claimed_at=claimed_at,
        time_to_live=time_to_live,
        earlier=earlier,
    )


def record(redemption: Redemption = Redemption.NOT_REDEEMED, *, error: str | None = None) -> Record:
    return Record(redemption=redemption, error=error, recorded_at=NOW - HOUR)


def attempt(under: ClaimEntry, *, staged: TokenSet | None = None, recorded: Redemption | None = None) -> Attempt:
    return Attempt(claim=under, staged=staged, record=record(recorded) if recorded else None)


def snapshot(
    *,
    now: datetime = NOW,
    current: TokenSet | None = None,
    newest: Claim | None = None,
    ended: bool = False,
    attempts: tuple[Attempt, ...] = (),
    spent: Spent | None = None,
    published: str | None = None,
) -> Snapshot:
    return Snapshot(
        now=now,
        current=current or token_set(),
        newest=newest,
        newest_ended=ended,
        attempts=attempts,
        spent=spent,
        published=published,
    )


def standing(
    *, forced_version: str | None = None, claim_id: str | None = None, tidies: bool = True, publishes: bool = False
) -> Standing:
    return Standing(
        forced=forced_version is not None,
        forced_version=forced_version,
        claim_id=claim_id,
        tidies=tidies,
        publishes=publishes,
    )


def policy(*, window: timedelta = 8 * HOUR, grace: timedelta = DAY, ttl: timedelta = 2 * MINUTE) -> Policy:
    return Policy(refresh_window=window, replay_grace=grace, claim_time_to_live=ttl)


SINGLE_USE = policy(grace=timedelta(0))
"""For a provider that accepts no refresh token twice."""

LIVE = claim(claimed_at=NOW - MINUTE)
"""A claim that others have to wait for."""

OVER = claim(claimed_at=NOW - HOUR)
"""A claim whose time to live has passed."""
