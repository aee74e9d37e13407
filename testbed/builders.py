"""Objects for tests, with everything that a test is not about set to something plausible."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Attempt, Fate, Ledger, fingerprint_of
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import PublishedCopy, RunState, Snapshot, TokenSet
from token_refresh_worker.stored.document import TokenDocument, read_document
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, Origin, StoreName, in_table

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
HOST = "provider.example"


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def fields(
    *, expires_at: datetime | None = NOW + HOUR, issued_at: datetime | None = None, **others: Any
) -> dict[str, Any]:
    """A stored document's fields in camel case; due at NOW by default."""
    document = {"accessToken": "access-0", "refreshToken": "refresh-0", "clientId": "client", "clientSecret": "hush"}
    times = {"expiresAt": expires_at, "issuedAt": issued_at}
    return document | {name: ms(moment) for name, moment in times.items() if moment} | others


def text(**changes: Any) -> SecretValue:
    return SecretValue(json.dumps(fields(**changes)))


def document(**changes: Any) -> TokenDocument:
    return read_document(text(**changes), needs_refresh_token=True)


def origin(
    *,
    claim_id: str | None = None,
    number: int = 0,
    host: str = HOST,
    grace: timedelta = DAY,
    claim_store: ClaimStoreKind | StoreName = ClaimStoreKind.VERSIONS,
    authorized: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A document's key `tokenRefresh`, as keyword for `fields`."""
    made = Origin(
        host=host,
        grace=grace,
        claim_store=named(claim_store),
        claim_id=claim_id,
        number=number,
        authorized=authorized,
        **more,
    )
    return {"tokenRefresh": made.as_fields()}


def token_set(version_id: str = "v0", *, stored_at: datetime = NOW - HOUR, **changes: Any) -> TokenSet:
    return TokenSet(version_id=version_id, stored_at=stored_at, document=document(**changes))


def mark(refresh_token: str) -> str:
    """The fingerprint of a refresh token."""
    return fingerprint_of(SecretValue(refresh_token))


def attempt(
    claim_id: str = "c1",
    fate: Fate = Fate.NO_RESULT,
    *,
    version_id: str = "v0",
    number: int = 1,
    claimed_at: datetime = NOW - HOUR,
    token: str = "refresh-0",  # noqa: S107 - a test value
    brought: str | None = None,
    forced: bool = False,
    retry_at: datetime | None = None,
) -> Attempt:
    """An attempt on the refresh token `token`, which brought the refresh token `brought`."""
    return Attempt(
        claim_id=claim_id,
        version_id=version_id,
        attempt_number=number,
        claimed_at=claimed_at,
        fingerprint=mark(token),
        fate=Fate.STORED if brought else fate,
        next_fingerprint=mark(brought) if brought else None,
        forced=forced,
        retry_at=retry_at,
    )


def claim(
    claim_id: str = "c1",
    *,
    time_to_live: timedelta = 2 * MINUTE,
    earlier: tuple[Attempt, ...] = (),
    claim_number: int = 1,
    host: str | None = HOST,
    grace: timedelta | None = DAY,
    **how: Any,
) -> Claim:
    """A claim; `how` is as for `attempt`."""
    made = attempt(claim_id, **how)
    return Claim(
        claim_id=made.claim_id,
        version_id=made.version_id,
        attempt_number=made.attempt_number,
        claimed_at=made.claimed_at,
        fingerprint=made.fingerprint,
        fate=made.fate,
        next_fingerprint=made.next_fingerprint,
        forced=made.forced,
        time_to_live=time_to_live,
        earlier=earlier,
        number=claim_number,
        host=host,
        grace=grace,
        nonce="nonce",
    )


def snapshot(
    newest: Claim | None = None,
    *,
    now: datetime = NOW,
    current: TokenSet | None = None,
    successor: TokenSet | None = None,
    published: PublishedCopy | None = None,
) -> Snapshot:
    return Snapshot(
        now=now,
        current=current or token_set(),
        newest=newest,
        ledger=newest.ledger if newest else Ledger(),
        successor=successor,
        published=published,
    )


def policy(
    *,
    window: timedelta = 8 * HOUR,
    grace: timedelta = DAY,
    host: str = HOST,
    claim_store: ClaimStoreKind | StoreName = ClaimStoreKind.VERSIONS,
) -> Policy:
    return Policy(refresh_window=window, replay_grace=grace, host=host, claim_store=named(claim_store))


def named(store: ClaimStoreKind | StoreName) -> StoreName:
    """A claim store's name; of a kind alone, the secret's versions or the table `claims`."""
    if isinstance(store, StoreName):
        return store
    return IN_VERSIONS if store is ClaimStoreKind.VERSIONS else in_table("claims")


SINGLE_USE = policy(grace=timedelta(0))
"""For a provider that accepts no refresh token twice."""

IN_TABLE = policy(claim_store=ClaimStoreKind.TABLE)
"""For claims in a table."""

SINGLE_USE_IN_TABLE = policy(grace=timedelta(0), claim_store=ClaimStoreKind.TABLE)
"""For both."""

RUN = RunState(nonce="nonce")
FORCED = RunState(nonce="nonce", forced_version="v0")
