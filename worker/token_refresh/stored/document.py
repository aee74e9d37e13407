"""The token document: the JSON object in which a token set is stored.

Two spellings are read, and what was found is written back:

    spelling  refresh token    access token    expiry and issue
    camel     `refreshToken`   `accessToken`   `expiresAt`,  `issuedAt`   Unix milliseconds
    snake     `refresh_token`  `access_token`  `expires_at`, `issued_at`  Unix seconds

An expiry may be an ISO 8601 string in either. The worker adds the key `tokenRefresh` (see `stored.origin`). Every other
key is kept as it is.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.origin import ORIGIN_KEY, Origin, read_origin

DEFAULT_LIFETIME: Final = timedelta(hours=1)
"""How long tokens are taken to live where neither the provider nor the token set before says so."""

LONGEST_LIFETIME: Final = timedelta(days=3650)
"""A longer lifetime is cut to this, so that no stored date overflows a calculation."""

SIZE_LIMIT_BYTES: Final = 65_536
"""What Secrets Manager takes as a value (`PutSecretValue`, SecretString)."""

NESTING_LIMIT: Final = 64
"""How deep a stored document may be nested."""

_EARLIEST_SECONDS: Final = 10**8  # 1973; a smaller number of seconds is not a date that tokens have
_EARLIEST: Final = datetime.fromtimestamp(_EARLIEST_SECONDS, UTC)
_LATEST_SECONDS: Final = 10**11  # 5138; milliseconds begin here, so that a wrong unit can't pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spelling:
    access_token: str
    refresh_token: str
    expires_at: str
    issued_at: str
    units_per_second: int

    @property
    def keys(self) -> tuple[str, ...]:
        return self.access_token, self.refresh_token, self.expires_at, self.issued_at


_CAMEL: Final = _Spelling(
    access_token="accessToken",  # noqa: S106 - the name of a key
    refresh_token="refreshToken",  # noqa: S106 - the name of a key
    expires_at="expiresAt",
    issued_at="issuedAt",
    units_per_second=1000,
)
_SNAKE: Final = _Spelling(
    access_token="access_token",  # noqa: S106 - the name of a key
    refresh_token="refresh_token",  # noqa: S106 - the name of a key
    expires_at="expires_at",
    issued_at="issued_at",
    units_per_second=1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDocument:
    """A token set as it is stored; all that is needed to write the next one in the same form."""

    refresh_token: SecretValue
    access_token: SecretValue | None
    expires_at: datetime | None
    issued_at: datetime | None
    origin: Origin | None
    """The key `tokenRefresh`; None where it is missing or unreadable."""
    _spelling: _Spelling = field(repr=False)
    _fields: Mapping[str, object] = field(repr=False)

    @property
    def lifetime(self) -> timedelta | None:
        """How long the access token lives in all, where the document says when it was issued."""
        if self.expires_at is None or self.issued_at is None or self.issued_at >= self.expires_at:
            return None
        return min(self.expires_at - self.issued_at, LONGEST_LIFETIME)

    @property
    def fields(self) -> Mapping[str, object]:
        """Every key as it is stored, secrets included: for reading client credentials beside the tokens."""
        return self._fields

    def renewed(
        self,
        *,
        access_token: SecretValue,
        refresh_token: SecretValue | None,
        lifetime: timedelta | None,
        issued_at: datetime,
        origin: Origin | None = None,
    ) -> "TokenDocument":
        """Give the document with the tokens of a token response (RFC 6749 section 5.1) in place of its own.

        Args:
            access_token: The new access token.
            refresh_token: The new refresh token; None keeps the old one (RFC 6749 section 6).
            lifetime: `expires_in`; None stands for one that can't be used, and the lifetime before it applies.
            issued_at: When the request was sent, since `expires_in` counts from the response.
            origin: Where the new tokens come from; None removes the key `tokenRefresh`.
        """
        issued_at = issued_at.replace(microsecond=0)
        expires_at = issued_at + (lifetime or self.lifetime or DEFAULT_LIFETIME)
        spelling = self._spelling
        iso = isinstance(self._fields.get(spelling.expires_at), str)
        kept = refresh_token or self.refresh_token
        others = {name: value for name, value in self._fields.items() if name != ORIGIN_KEY}
        return TokenDocument(
            refresh_token=kept,
            access_token=access_token,
            expires_at=expires_at,
            issued_at=issued_at,
            origin=origin,
            _spelling=spelling,
            _fields={
                **others,
                **({} if origin is None else {ORIGIN_KEY: origin.as_fields()}),
                spelling.access_token: access_token.reveal(),
                spelling.refresh_token: kept.reveal(),
                spelling.expires_at: _write_time(expires_at, spelling, iso=iso),
                spelling.issued_at: _write_time(issued_at, spelling, iso=iso),
            },
        )

    def carried(self, onto: "TokenDocument") -> "TokenDocument":
        """Give `onto` with this document's token set, each in its own spelling, and its other keys."""
        if self.access_token is None or self.issued_at is None:
            raise InvalidSecretDocument("staged tokens lack an access token or the time of issue")
        return onto.renewed(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            lifetime=self.lifetime,
            issued_at=self.issued_at,
            origin=self.origin,
        )

    def serialize(self) -> SecretValue:
        """Give the JSON text to store; ASCII, so that no character in another key can keep it from being sent."""
        return SecretValue(json.dumps(self._fields, separators=(",", ":")))


def read_document(text: SecretValue) -> TokenDocument:
    """Parse a stored token document.

    Raises:
        InvalidSecretDocument: It is not one; the message names the field, never its value.
    """
    fields = read_object(text)
    spelling = _spelling_of(fields)
    refresh_token = _read_token(fields, spelling.refresh_token)
    if refresh_token is None:
        raise InvalidSecretDocument(
            f"{spelling.refresh_token} is missing, null or empty; store a token set with `token-refresh authorize`"
        )
    return TokenDocument(
        refresh_token=refresh_token,
        access_token=_read_token(fields, spelling.access_token),
        expires_at=_read_time(fields, spelling.expires_at, spelling),
        issued_at=_read_time(fields, spelling.issued_at, spelling),
        origin=read_origin(fields),
        _spelling=spelling,
        _fields=fields,
    )


def read_object(text: SecretValue) -> dict[str, object]:
    """Parse a JSON object strictly: no NaN, no infinity, no number that a double can't hold.

    Raises:
        InvalidSecretDocument: It is not one.
    """
    try:
        parsed = json.loads(text.reveal(), parse_constant=_refuse_constant, parse_float=_read_float)
    except (ValueError, RecursionError):
        # Without the cause: a JSONDecodeError holds the whole text.
        raise InvalidSecretDocument("the secret's value is not JSON; it must be a JSON object") from None
    if _depth(parsed) > NESTING_LIMIT:
        raise InvalidSecretDocument(f"the secret's value is nested deeper than {NESTING_LIMIT} levels")
    if not isinstance(parsed, dict):
        raise InvalidSecretDocument(f"the secret's value is a JSON {type(parsed).__name__}; it must be a JSON object")
    return parsed


def _depth(value: object) -> int:
    """Measure without recursion: what was read has to be written again, after the tokens were received."""
    deepest, pending = 0, [(value, 1)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        if depth > NESTING_LIMIT:
            break
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        pending.extend((child, depth + 1) for child in children)
    return deepest


def _refuse_constant(_: str) -> object:
    raise ValueError


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _spelling_of(fields: Mapping[str, object]) -> _Spelling:
    present = [s for s in (_CAMEL, _SNAKE) if s.refresh_token in fields]
    if len(present) != 1:
        how = "both refreshToken and refresh_token are" if present else "neither refreshToken nor refresh_token is"
        raise InvalidSecretDocument(f"{how} in the secret; exactly one spelling must be")
    spelling = present[0]
    other = _SNAKE if spelling is _CAMEL else _CAMEL
    for key in other.keys:
        if key in fields:
            # Left beside the governing spelling it would go stale, and whoever reads it would not notice.
            raise InvalidSecretDocument(
                f"{key} does not fit the spelling of {spelling.refresh_token}; use one spelling"
            )
    return spelling


def _read_token(fields: Mapping[str, object], key: str) -> SecretValue | None:
    value = fields.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidSecretDocument(f"{key} must be a string, and is a JSON {type(value).__name__}")
    check_text(value, key)
    return SecretValue(value)


def check_text(value: str, key: str) -> None:
    """Refuse half of a surrogate pair: JSON can hold it, and no request can.

    Raises:
        InvalidSecretDocument: The value holds one; the message names the key.
    """
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidSecretDocument(f"{key} holds half of a surrogate pair, which can't be sent; store it again")


def _read_time(fields: Mapping[str, object], key: str, spelling: _Spelling) -> datetime | None:
    value = fields.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        return _read_iso(value, key)
    unit = "milliseconds" if spelling is _CAMEL else "seconds"
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidSecretDocument(f"{key} must be Unix {unit}, an integer, or an ISO 8601 string")
    if not _EARLIEST_SECONDS <= value // spelling.units_per_second < _LATEST_SECONDS:
        raise InvalidSecretDocument(f"{key} does not look like Unix {unit}; is it in another unit?")
    return datetime.fromtimestamp(value / spelling.units_per_second, UTC)


def _read_iso(text: str, key: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidSecretDocument(f"{key} is a string and not an ISO 8601 date and time") from None
    if moment < _EARLIEST:
        raise InvalidSecretDocument(f"{key} is before {_EARLIEST:%Y}, which is not a date that tokens have")
    return moment


def _write_time(moment: datetime, spelling: _Spelling, *, iso: bool) -> int | str:
    if iso:
        return moment.isoformat().replace("+00:00", "Z")
    return int(moment.timestamp()) * spelling.units_per_second
