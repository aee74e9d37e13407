"""How a provider's requests and responses differ from RFC 6749, as data. The defaults are the RFC's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class AuthMethod(StrEnum):
    """How the client authenticates: the names of RFC 7591 section 2."""

    POST = "client_secret_post"
    BASIC = "client_secret_basic"
    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"
    SECRET_AS_USER = "secret_as_user"  # noqa: S105 - a name; no RFC has it: Basic, with the secret as user (Stripe)


class Grant(StrEnum):
    """What a refresh redeems."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a grant type (RFC 6749 section 6)
    CLIENT_CREDENTIALS = "client_credentials"
    EXCHANGE = "exchange"
    """The access token itself, while it is valid (Meta)."""


class Encoding(StrEnum):
    """Where the fields of a request go, or how a response's body is written."""

    FORM = "form"
    JSON = "json"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFormat:
    """How a provider wants the refresh request; the defaults are RFC 6749's."""

    auth_method: AuthMethod = AuthMethod.POST
    grant: Grant = Grant.REFRESH_TOKEN
    grant_type: str | None = None
    """The value of `grant_type`; empty for a request without one; None for RFC 6749's."""
    method: str = "POST"
    encoding: Encoding = Encoding.FORM
    names: Mapping[str, str] = field(default_factory=dict)
    """Field names that differ from RFC 6749's, such as `client_key` for `client_id`."""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    assertion_algorithm: str = "RS256"
    assertion_audience: str | None = None
    """The `aud` of a `private_key_jwt` assertion; None for the token endpoint."""


class Expiry(StrEnum):
    """How a response says when the access token expires."""

    EXPIRES_IN = "expires_in"
    EPOCH = "epoch"
    ISO = "iso"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Recognises a response by exact values, never by a description."""

    status: int | None
    fields: Mapping[str, str | int | bool]
    """Paths, with a dot between steps (`errors.0.code`), and the value that each must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    """How a provider responds; the defaults are RFC 6749's."""

    encoding: Encoding = Encoding.JSON
    envelope: tuple[str, ...] = ()
    """Keys that lead to the object which holds the tokens."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Field names that differ from RFC 6749's, such as `token` for `access_token`."""
    expiry: Expiry = Expiry.EXPIRES_IN
    dead: tuple[Matcher, ...] = ()
    client: tuple[Matcher, ...] = ()
    busy: tuple[Matcher, ...] = ()
    unknown: tuple[Matcher, ...] = ()
    keep: tuple[str, ...] = ()
    """Fields that the token document keeps, such as `instance_url`."""
