"""Whether a secret takes the versions and labels that come of a token or a code: looked at before that is used up."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from token_refresh.errors import SecretAccessDenied, SecretFull
from token_refresh_worker.core.attempts import DAY, Attempt, Fate
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.schedule import CLOCKS_APART
from token_refresh_worker.core.versions import (
    CLAIM,
    CURRENT,
    OUTCOME,
    PREVIOUS,
    record_version_id,
    response_version_id,
    staged_version_id,
)
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.ports import RunDependencies
from token_refresh_worker.stored.origin import ClaimStoreKind

PLACES: Final = 100
"""How many versions a secret holds. Secrets Manager removes none that has a label or is younger than a day."""
LABELS: Final = 20
"""How many labels the versions of a secret have together."""
SPARE: Final = 3
"""Left free beyond what is needed: the list may be old, and something else may store versions and labels after it."""
_HELD: Final = DAY + CLOCKS_APART
"""After this time, by any clock of AWS, a version without a label may be removed."""


class Needed(NamedTuple):
    """What something would add to a secret."""

    versions: int
    labels: frozenset[str] = frozenset({CURRENT, PREVIOUS})
    stored: tuple[VersionEntry, ...] = ()
    """Versions that are known to be there, if the list is too old to show them."""


def needed_by_refresh(store: ClaimStoreKind, attempts: Iterable[Attempt]) -> Needed:
    """Return what a refresh adds after these attempts."""
    in_versions = store is ClaimStoreKind.VERSIONS
    labels = {CURRENT, PREVIOUS, OUTCOME, *({CLAIM} if in_versions else ())}
    return Needed(VERSIONS_A_CLAIM[store], frozenset(labels), tuple(_stored_by(attempts, claims=in_versions)))


def check_places(parts: RunDependencies, now: datetime, needed: Needed, then: str) -> None:
    """Refuse what the secret may not take; `then` says what was not done.

    A caller who may not list the versions goes on as if there were places.
    """
    try:
        listed = parts.store.versions()
    except SecretAccessDenied:
        return
    used = {label for version in listed for label in version.labels}
    new = needed.labels - used
    if new and len(used | new) + SPARE > LABELS:
        many = f"its versions have {len(used)} of {LABELS} labels, and {len(new) + SPARE} must be free"
        error = _full(parts, many, then, "Take labels off that nobody needs. To see them: ")
        error.needs_person = True
        raise error
    until = full_until([*listed, *needed.stored], now, needed.versions + SPARE)
    if until is not None:
        many = "it holds as many versions as Secrets Manager allows, and new tokens would have no place until "
        error = _full(parts, many + utc(until), then, "Find out what else writes to it, and stop that: ")
        error.retry_at = until
        raise error


def full_until(listed: Iterable[VersionEntry], now: datetime, needed: int) -> datetime | None:
    """Say until when a secret has no place for so many versions; None if it has them."""
    held = {v.version_id: v for v in reversed([*listed]) if v.labels or v.created_at > now - _HELD}
    missing = len(held) + needed - PLACES
    if missing <= 0:
        return None
    # A label may stay for long, and a version that loses one goes as the others do.
    leaving = sorted(v.created_at for v in held.values() if not v.labels)
    return leaving[missing - 1] + _HELD if missing <= len(leaving) else now + DAY


def _stored_by(attempts: Iterable[Attempt], *, claims: bool) -> Iterator[VersionEntry]:
    """Return the versions that attempts are known to have stored."""
    for attempt in attempts:
        known = [attempt.claim_id] if claims else []
        if attempt.fate is Fate.STORED:
            known.append(staged_version_id(attempt.claim_id, attempt.version_id))
        elif claims and attempt.fate.is_attempt and attempt.fate is not Fate.NO_RESULT:
            known.append(record_version_id(attempt.claim_id))
        if attempt.fate is Fate.UNREAD:
            known.append(response_version_id(attempt.claim_id))
        for version_id in known:
            yield VersionEntry(version_id=version_id, labels=frozenset(), created_at=attempt.claimed_at)


def _full(parts: RunDependencies, why: str, then: str, fix: str) -> SecretFull:
    return SecretFull(f"{parts.secret} is full: {why}; {then}", fix=(fix, parts.secret.command("history")))
