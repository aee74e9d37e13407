"""What a consumer reads: the access token and its expiry, from the token document or from the published copy."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import located, read_object
from token_refresh.stored.spelling import find_spelling, read_token


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """An access token as it is stored."""

    value: SecretValue
    expires_at: datetime


def read_access_token(text: SecretValue, where: str, field: str | None = None) -> AccessToken | None:
    """Read the access token and its expiry from a document, or from the one in a field; None if it has no token yet.

    Raises:
        InvalidSecretDocument: The document is malformed; the message begins with `where`, and names the field alone.
    """
    return located(partial(_read_access_token, text, field), where)


def _read_access_token(text: SecretValue, field: str | None) -> AccessToken | None:
    fields = read_object(text, field=field)
    spelling = find_spelling(fields)
    value = read_token(fields, spelling.access_token) if spelling else None
    if spelling is None or value is None:
        return None
    expires_at = spelling.read_time(fields, spelling.expires_at)
    # Consumers cache a token until it expires; without an expiry they would keep it for ever.
    if expires_at is None:
        raise InvalidSecretDocument(
            f"{spelling.expires_at} is missing; it must be Unix {spelling.unit}, an integer, or an ISO 8601 string"
        )
    return AccessToken(value=value, expires_at=expires_at)
