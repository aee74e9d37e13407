"""Reads the access token and its expiry out of a token secret, or out of the secret that is published for consumers."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from token_refresh.reader.errors import InvalidSecretDocument, SecretEmpty


class Spelling(NamedTuple):
    """The keys of one spelling, and the unit and range of its expiry as a number."""

    access_token: str
    refresh_token: str
    expires_at: str
    per_second: int
    unit: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys by which the spelling is known."""
        return self.refresh_token, self.access_token, self.expires_at


SPELLINGS = (
    Spelling("accessToken", "refreshToken", "expiresAt", 1000, "Unix milliseconds"),
    Spelling("access_token", "refresh_token", "expires_at", 1, "Unix seconds"),
)
# From 1973 to 5138: seconds and milliseconds of any time that matters can't be mistaken for each other.
EARLIEST_SECONDS, LATEST_SECONDS = 10**8, 10**11


def parse(content: str | bytes, where: str) -> tuple[str, datetime]:
    """Give the access token and its expiry; `where` names the secret in messages.

    Raises:
        SecretEmpty: There is no access token in it yet.
        InvalidSecretDocument: It isn't a token document; the message names the field, never its value.
    """
    document = _load(content, where)
    spelling = _spelling(document, where)
    token = document.get(spelling.access_token)
    if token is None or token == "":
        raise SecretEmpty(f"{where} holds no access token yet: the worker's next run stores one")
    # A header can't hold anything else, and the clients' own errors would print it.
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()) or " " in token:
        raise InvalidSecretDocument(f"{where}: {spelling.access_token} must be a string of visible ASCII characters")
    return token, _expiry(document.get(spelling.expires_at), spelling, where)


def _load(content: str | bytes, where: str) -> dict[str, Any]:
    if isinstance(content, bytes):
        raise InvalidSecretDocument(f"{where} is binary: a token document is JSON text, in SecretString")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidSecretDocument(f"{where} must be a JSON object, and isn't one")
    return document


def _spelling(document: dict[str, Any], where: str) -> Spelling:
    """Find the spelling by the keys that are there; two at once can't be told apart from a token gone stale."""
    found = [[key for key in spelling.keys if key in document] for spelling in SPELLINGS]
    if all(found):
        raise InvalidSecretDocument(f"{where} holds both {found[0][0]} and {found[1][0]}: keep one spelling")
    if not any(found):
        raise SecretEmpty(f"{where} holds no tokens yet: run `token-refresh authorize`")
    return SPELLINGS[0] if found[0] else SPELLINGS[1]


def _expiry(value: object, spelling: Spelling, where: str) -> datetime:
    if isinstance(value, str):
        return _iso(value, spelling, where)
    # Compared as integers, and so before it is divided: a number of 400 digits overflows a float.
    earliest, latest = EARLIEST_SECONDS * spelling.per_second, LATEST_SECONDS * spelling.per_second
    if isinstance(value, int) and not isinstance(value, bool) and earliest <= value < latest:
        return datetime.fromtimestamp(value / spelling.per_second, UTC)
    raise InvalidSecretDocument(f"{where}: {spelling.expires_at} must be {spelling.unit}, an integer, or ISO 8601")


def _iso(value: str, spelling: Spelling, where: str) -> datetime:
    """Read ISO 8601, in UTC where it doesn't say in which time zone."""
    try:
        parsed = datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # raised below, away from the parser's error, which holds the value
    raise InvalidSecretDocument(f"{where}: {spelling.expires_at} must be ISO 8601, or {spelling.unit}, an integer")
