"""What a response of the token endpoint proves (RFC 6749 section 5); nothing here sends or receives.

What an answer proves is decided by the status first, then by the `error` code, never by a description:

    seen                                              redeemed?   again within a run   kind
    no connection                                     no          yes                  NOT_SENT
    429, 503                                          no          yes, `Retry-After`   BUSY
    no answer after sending, other 5xx                perhaps     in the grace period  NO_ANSWER
    2xx that is no token response                     perhaps     in the grace period  UNREADABLE
    3xx, 4xx without an RFC 6749 error code           no          no                   UNEXPECTED
    `invalid_grant`                                   answered    no                   GRANT_REJECTED
    `invalid_client`, `unauthorized_client`           answered    no                   CLIENT_REJECTED
    any other RFC 6749 code                           answered    no                   REQUEST_REJECTED
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from token_refresh.secret_value import SecretValue
from token_refresh.stored.token_value import is_token

BODY_LIMIT_BYTES: Final = 65_536
"""How much of an answer is read; a token response is a few kilobytes."""

LONGEST_LIFETIME: Final = timedelta(days=3650)
"""An `expires_in` beyond this is taken as this, so that no number overflows a date."""

_ERROR_CODES: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)  # RFC 6749 section 5.2


class Kind(Enum):
    """What kind of failure an answer, or its absence, is; the table in the module's docstring."""

    NOT_SENT = auto()
    BUSY = auto()
    NO_ANSWER = auto()
    UNREADABLE = auto()
    UNEXPECTED = auto()
    GRANT_REJECTED = auto()
    CLIENT_REJECTED = auto()
    REQUEST_REJECTED = auto()

    @property
    def may_have_redeemed(self) -> bool:
        """Whether the refresh token may have been redeemed although no tokens arrived."""
        return self in {Kind.NO_ANSWER, Kind.UNREADABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """A successful answer (RFC 6749 section 5.1)."""

    access_token: SecretValue
    refresh_token: SecretValue | None
    """None where the provider sent none: the old one stays valid (RFC 6749 section 6)."""
    lifetime: timedelta | None
    """None where `expires_in` is absent or can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Anything else."""

    kind: Kind
    seen: str
    """What was seen, in words of ours alone."""
    error: str | None = None
    """The RFC 6749 error code, where there was one."""
    retry_after: timedelta | None = None


Answer = TokenResponse | Failure


def read_answer(status: int, body: bytes | None, retry_after: timedelta | None = None) -> Answer:
    """Decide what an HTTP response is, and what it proves.

    Args:
        status: The HTTP status.
        body: The body; None where it was refused unread (encoded, or over `BODY_LIMIT_BYTES`).
        retry_after: The `Retry-After` header, read (RFC 9110 section 10.2.3).
    """
    if status in {429, 503}:
        return Failure(kind=Kind.BUSY, seen=f"HTTP {status}", retry_after=retry_after)
    if 200 <= status < 300:  # noqa: PLR2004 - the classes of RFC 9110 section 15
        return _read_success(status, body)
    if 300 <= status < 500:  # noqa: PLR2004 - likewise
        return _read_refusal(status, body)
    return Failure(kind=Kind.NO_ANSWER, seen=f"HTTP {status}")


def _read_success(status: int, body: bytes | None) -> Answer:
    def unreadable(why: str) -> Failure:
        return Failure(kind=Kind.UNREADABLE, seen=f"HTTP {status} with {why}")

    if body is None:
        return unreadable(f"a body that is encoded or over {BODY_LIMIT_BYTES} bytes")
    fields = _read_object(body)
    if fields is None:
        return unreadable("a body that is not a JSON object")
    if fields.get("error") is not None:
        return unreadable("an error in it")
    access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token")
    if not is_token(access_token):
        return unreadable("no usable access_token")
    if refresh_token not in (None, "") and not is_token(refresh_token):
        return unreadable("a refresh_token that is not one")
    return TokenResponse(
        access_token=SecretValue(str(access_token)),
        refresh_token=SecretValue(str(refresh_token)) if refresh_token else None,
        lifetime=_read_lifetime(fields.get("expires_in")),
    )


def _read_refusal(status: int, body: bytes | None) -> Failure:
    error = (_read_object(body or b"") or {}).get("error") if status >= 400 else None  # noqa: PLR2004 - a 3xx has no error
    if not isinstance(error, str) or error not in _ERROR_CODES:
        return Failure(kind=Kind.UNEXPECTED, seen=f"HTTP {status} without an RFC 6749 error code")
    if error == "invalid_grant":
        kind = Kind.GRANT_REJECTED
    elif error in {"invalid_client", "unauthorized_client"}:
        kind = Kind.CLIENT_REJECTED
    else:
        kind = Kind.REQUEST_REJECTED
    return Failure(kind=kind, seen=f"HTTP {status} with {error}", error=error)


def _read_object(body: bytes) -> Mapping[str, object] | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _read_lifetime(value: object) -> timedelta | None:
    """Read `expires_in`; providers have been seen to send it as a string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(seconds) or seconds < 1:
        return None
    return timedelta(seconds=int(min(seconds, LONGEST_LIFETIME.total_seconds())))
