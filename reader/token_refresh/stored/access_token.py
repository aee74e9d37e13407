"""What a consumer reads: the access token and its expiry, from the token document or from the published copy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import located, read_object
from token_refresh.stored.spelling import TIME_IN_WORDS, find_spelling, read_token
from token_refresh.stored.times import LONGEST_LIFETIME

EXTRA_NAME: Final = re.compile(r"(?!(?i:.*(?:token|secret|expires|issued|provider|client).*))[A-Za-z0-9_]{1,100}")
"""The name of a value that a provider sent beside the tokens: none that the token document has itself, in any
spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token as it is stored."""

    value: SecretValue
    expires_at: datetime
    extra: Mapping[str, str | int] = field(default_factory=dict)
    """What the provider's profile keeps beside the tokens, such as `realmId`."""


def read_access_token(
    text: SecretValue, where: str, field: str | None = None, stored_at: datetime | None = None
) -> AccessToken | None:
    """Read the access token and its expiry from a document, or from the one in a field; None if it has no token yet.

    No token is believed to live longer than a run's last one did, counted from `stored_at`. An error begins with
    `where`, and names the field alone.
    """
    return located(partial(_read_access_token, text, field, stored_at), where)


def _read_access_token(text: SecretValue, field: str | None, stored_at: datetime | None) -> AccessToken | None:
    fields = read_object(text, field=field)
    spelling = find_spelling(fields)
    value = read_token(fields, spelling.access_token) if spelling else None
    if spelling is None or value is None:
        return None
    expires_at = spelling.read_time(fields, spelling.expires_at)
    # Consumers cache a token until it expires; without an expiry they would keep it for ever.
    if expires_at is None:
        raise InvalidSecretDocument(f"{spelling.expires_at} is missing; {TIME_IN_WORDS}", fix="Add that key")
    lifetime = read_life(fields.get("tokenRefresh"), "lifetime_seconds")
    expires_at = believed_expiry(expires_at, stored_at, lifetime) if stored_at else expires_at
    return AccessToken(value=value, expires_at=expires_at, extra=read_extra(fields))


def believed_expiry(expires_at: datetime, stored_at: datetime, lifetime: timedelta | None) -> datetime:
    """Return until when a token lives: as is stored, and not longer than a lifetime after its version was stored.

    Not after `issuedAt`: another job that writes only its own keys leaves that as it was.
    """
    return min(expires_at, stored_at + lifetime) if lifetime else expires_at


def read_life(origin: object, name: str) -> timedelta | None:
    """Read from `tokenRefresh` how long an access token lives, or still lived; None where it doesn't say."""
    seconds = origin.get(name) if isinstance(origin, dict) else None
    if type(seconds) is not int or not 1 <= seconds <= LONGEST_LIFETIME // timedelta(seconds=1):
        return None
    return timedelta(seconds=seconds)


def read_extra(fields: Mapping[str, object]) -> dict[str, str | int]:
    """Read what `tokenRefresh.kept` names; nothing else beside the tokens may be shown to a consumer."""
    origin = fields.get("tokenRefresh")
    names = origin.get("kept") if isinstance(origin, dict) else None
    return {
        name: value
        for name in (names if isinstance(names, list) else ())
        if isinstance(name, str) and EXTRA_NAME.fullmatch(name)
        if isinstance(value := fields.get(name), str | int)
    }
