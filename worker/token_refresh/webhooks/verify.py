"""Whether a signature holds: pure, and in the same time whichever key fits, if any."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from token_refresh.webhooks.errors import WebhookNotVerified
from token_refresh.webhooks.schemes import Signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One accepted key, and where it came from; `current_since` is when the current secret was stored."""

    version_id: str
    stage: str
    current_since: datetime
    value: bytes = field(repr=False)


def check_time(signed: Signed, *, now: float, tolerance: timedelta) -> None:
    """Refuse what was signed too long ago, or too far ahead.

    Raises:
        WebhookNotVerified: It was; the message says by how much.
    """
    if signed.at_seconds is None:
        return
    ahead_seconds = signed.at_seconds - now
    if abs(ahead_seconds) > tolerance.total_seconds():
        way = "in the future" if ahead_seconds > 0 else "ago"
        raise WebhookNotVerified(
            f"signed {abs(ahead_seconds):.0f} s {way}, and {tolerance.total_seconds():.0f} s are tolerated: "
            "a replay, or a clock that is wrong"
        )


def matching_key(signed: Signed, keys: Sequence[Key]) -> Key | None:
    """Find the first key that made one of the signatures; all are compared whatever is found."""
    fitting = []
    for key in keys:
        digest = hmac.digest(key.value, signed.content, "sha256")
        fitting.append(sum(hmac.compare_digest(digest, signature) for signature in signed.signatures) > 0)
    return next((key for key, fits in zip(keys, fitting, strict=True) if fits), None)
