"""Whether a secret has places for the versions that come of a token or a code: looked at before that is used up."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Final

from token_refresh.errors import SecretAccessDenied, SecretFull
from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.ports import RunDependencies

PLACES: Final = 100
"""How many versions a secret holds. Secrets Manager removes none that has a label or is younger than a day."""
SPARE: Final = 1
"""Left free beyond what is needed: something else may store a version after the look, or reads may not show one yet."""


def check_places(parts: RunDependencies, now: datetime, needed: int, then: str) -> None:
    """Refuse what needs so many new versions if the secret may not take them; `then` says what was not done.

    A caller who may not list the versions goes on as if there were places.

    Raises:
        SecretFull: Secrets Manager would refuse what arrives.
        SecretStoreError: It can't be reached.
    """
    until = None
    with suppress(SecretAccessDenied):
        until = full_until(parts.store.versions(), now, needed + SPARE)
    if until is None:
        return
    error = SecretFull(
        f"{parts.secret} holds as many versions as Secrets Manager allows, and new tokens would have no place until "
        f"{utc(until)}; {then}",
        fix=("Find out what else writes to it, and stop that: ", parts.secret.command("history")),
    )
    error.retry_at = until
    raise error


def full_until(listed: Iterable[VersionEntry], now: datetime, needed: int) -> datetime | None:
    """Say until when a secret has no place for so many versions; None if it has them."""
    held = {v.version_id: v for v in listed if v.labels or v.created_at > now - DAY}
    missing = len(held) + needed - PLACES
    if missing <= 0:
        return None
    # A label may stay for long, and a version that loses one goes as the others do.
    leaving = sorted(v.created_at for v in held.values() if not v.labels)
    return leaving[missing - 1] + DAY if missing <= len(leaving) else now + DAY
