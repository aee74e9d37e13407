"""Whether a signature holds: pure, and in the same time whichever key fits, if any."""

import hmac
from collections.abc import Sequence
from datetime import timedelta

from token_refresh.webhooks.errors import WebhookNotVerified
from token_refresh.webhooks.scheme import Signed


def check_time(signed: Signed, *, now: float, tolerance: timedelta) -> None:
    """Refuse what was signed too long ago, or too far ahead.

    Raises:
        WebhookNotVerified: It was; the message says by how much.
    """
    if signed.at_seconds is None:
        return
    ahead_seconds = signed.at_seconds - now
    if abs(ahead_seconds) > tolerance.total_seconds():
        # Both ways: a time far ahead could be replayed until then.
        way = "in the future" if ahead_seconds > 0 else "ago"
        raise WebhookNotVerified(
            f"signed {abs(ahead_seconds):.0f} s {way}, and {tolerance.total_seconds():.0f} s are tolerated: "
            "a replay, or a clock that is wrong"
        )


def first_fitting(signed: Signed, keys: Sequence[bytes]) -> int | None:
    """Find the first key that made one of the signatures: its index, or None."""
    fitting = []
    for key in keys:
        digest = hmac.digest(key, signed.content, "sha256")
        # Without `any` and `break`: the time must not tell which key fits, nor which signature.
        fitting.append(sum(hmac.compare_digest(digest, signature) for signature in signed.signatures) > 0)
    return fitting.index(True) if True in fitting else None
