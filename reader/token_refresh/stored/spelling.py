"""The two spellings of a token document, and its fields as they are stored.

    spelling  refresh token    access token    expiry and issue
    camel     `refreshToken`   `accessToken`   `expiresAt`,  `issuedAt`   Unix milliseconds
    snake     `refresh_token`  `access_token`  `expires_at`, `issued_at`  Unix seconds

This is how times are written where none is stored. `times` has the forms in which they are read.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import json_type
from token_refresh.stored.times import EARLIEST_SECONDS, LATEST_SECONDS, read_time, write_time

TIME_IN_WORDS: Final = "it must be Unix seconds or milliseconds, or ISO 8601, from 1973 to 5138"

_TOKEN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Spelling:
    """The keys of one spelling, and the unit of its times."""

    access_token: str
    refresh_token: str
    expires_at: str
    issued_at: str
    usual: int
    """A time as this spelling has it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that only this spelling has."""
        return self.access_token, self.refresh_token, self.expires_at, self.issued_at

    def read_time(self, fields: Mapping[str, object], key: str) -> datetime | None:
        """Read a time; None if it is missing or null. To correct one that is wrong repairs the document."""
        value = fields.get(key)
        if value is None:
            return None
        with suppress(ValueError):  # raised below: the parser's error quotes the value
            return read_time(value)
        raise InvalidSecretDocument(f"{key} is not a time: {TIME_IN_WORDS}", fix="Correct that key")

    def write_time(self, moment: datetime, fields: Mapping[str, object]) -> int | str:
        """Write a time in the form that the stored expiry has, else as a number in this spelling's unit."""
        return write_time(moment, like=fields.get(self.expires_at) or self.usual)


CAMEL: Final = Spelling(
    access_token="accessToken",  # noqa: S106 - the name of a key
    refresh_token="refreshToken",  # noqa: S106 - the name of a key
    expires_at="expiresAt",
    issued_at="issuedAt",
    usual=LATEST_SECONDS,
)
SNAKE: Final = Spelling(
    access_token="access_token",  # noqa: S106 - the name of a key
    refresh_token="refresh_token",  # noqa: S106 - the name of a key
    expires_at="expires_at",
    issued_at="issued_at",
    usual=EARLIEST_SECONDS,
)


def find_spelling(fields: Mapping[str, object]) -> Spelling | None:
    """Find the spelling of a document; None if it has no key of either."""
    # Of keys of both, one would go stale, and nobody would notice.
    camel, snake = ([key for key in spelling.keys if key in fields] for spelling in (CAMEL, SNAKE))
    if camel and snake:
        raise InvalidSecretDocument(f"{camel[0]} and {snake[0]} are both in the secret; keep one spelling")
    return CAMEL if camel else SNAKE if snake else None


def read_token(fields: Mapping[str, object], key: str) -> SecretValue | None:
    """Read a token; None if it is missing, null or empty."""
    value = fields.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidSecretDocument(f"{key} must be a string, and is a JSON {json_type(value)}")
    if not is_token(value):
        raise InvalidSecretDocument(f"{key} must hold printable ASCII characters without a space at either end")
    return SecretValue(value)


def is_token(value: object) -> bool:
    """Whether a value can be a token: 1*VSCHAR (RFC 6749 appendix A.12 and A.17), no space at either end.

    HTTP strips spaces at the end of a header, and clients quote a header that they refuse in their errors.
    """
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None
