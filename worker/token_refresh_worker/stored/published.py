"""The published document: what consumers need of a token set, without the refresh token."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import read_access_token, read_extra
from token_refresh.stored.json_object import read_object, write_object
from token_refresh.stored.times import iso
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import ORIGIN_KEY


def is_published(fields: Mapping[str, object]) -> bool:
    """Whether these are the keys of a published document, and not of a token document."""
    return "sourceVersionId" in fields and "refreshToken" not in fields


def published_document(document: TokenDocument, source_version_id: str) -> SecretValue:
    """Write the access token, its expiry in Unix milliseconds, type and scope, and the version that it comes from.

    What the provider's profile keeps is there, too, such as `realmId`; `tokenRefresh` names it, as in the token
    document, and says how long the access token lives.
    Type and scope are those of the token document; the default is a bearer token (RFC 6750). Of a revoked grant, write
    since when there is no access token any more.
    """
    if document.revoked_at is not None:
        return write_object({"revokedAt": iso(document.revoked_at), "sourceVersionId": source_version_id})
    assert document.access_token is not None  # noqa: S101 - the plan publishes only complete token sets
    assert document.expires_at is not None  # noqa: S101 - likewise
    fields, lifetime = document.fields, document.origin.lifetime if document.origin else None
    extra = read_extra(fields)
    # Readers' rule (`read_access_token`) needs it, also if something else stores the copy again.
    origin = {"lifetime_seconds": lifetime and int(lifetime.total_seconds()), "kept": list(extra) or None}
    return write_object(
        {
            **extra,
            "accessToken": document.access_token.reveal(),
            "expiresAt": int(document.expires_at.timestamp() * 1000),
            "tokenType": fields.get("tokenType", fields.get("token_type", "Bearer")),
            "scope": fields.get("scope"),
            "sourceVersionId": source_version_id,
            **({ORIGIN_KEY: {name: value for name, value in origin.items() if value}} if any(origin.values()) else {}),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PublishedContent:
    """What services find in a published secret."""

    access_token: SecretValue | None = None
    expires_at: datetime | None = None
    source_version_id: str | None = None
    """The version of the token secret that it says it comes from."""
    problem: str | None = None
    """Why services can't read it."""


def read_published(value: SecretValue | None) -> PublishedContent:
    """Read whatever is in a published secret, as services read it."""
    if value is None:
        return PublishedContent(problem="it is binary, and must be text (SecretString)")
    source = None
    with suppress(InvalidSecretDocument):
        source = read_object(value).get("sourceVersionId")
    source = source if isinstance(source, str) else None
    try:
        found = read_access_token(value, "")
    except InvalidSecretDocument as error:
        return PublishedContent(source_version_id=source, problem=str(error))
    if found is None:
        return PublishedContent(source_version_id=source, problem="it has no access token")
    return PublishedContent(access_token=found.value, expires_at=found.expires_at, source_version_id=source)
