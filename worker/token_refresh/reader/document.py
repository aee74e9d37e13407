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
    """Find the spelling by the refresh token; a published secret has none, so by the access token there."""
    for field in ("refresh_token", "access_token"):
        found = [spelling for spelling in SPELLINGS if document.get(getattr(spelling, field)) is not None]
        if len(found) == 1:
            return found[0]
        if found:
            keys = " and ".join(getattr(spelling, field) for spelling in found)
            raise InvalidSecretDocument(f"{where} holds both {keys}: keep one of them")
    raise SecretEmpty(f"{where} holds no tokens yet: run `token-refresh authorize`")


def _expiry(value: object, spelling: Spelling, where: str) -> datetime:
    if isinstance(value, str):
        return _iso(value, spelling, where)
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value / spelling.per_second
        if EARLIEST_SECONDS <= seconds < LATEST_SECONDS:
            return datetime.fromtimestamp(seconds, UTC)
    raise InvalidSecretDocument(f"{where}: {spelling.expires_at} must be {spelling.unit}, an integer, or ISO 8601")


def _iso(value: str, spelling: Spelling, where: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InvalidSecretDocument(
            f"{where}: {spelling.expires_at} must be ISO 8601 with a time zone, or {spelling.unit}"
        )
    return parsed.astimezone(UTC)
