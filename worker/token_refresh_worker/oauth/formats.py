"""How a provider's requests and responses differ from RFC 6749, as data. The defaults are the RFC's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class AuthMethod(StrEnum):
    """How the client authenticates: the names of RFC 7591 section 2, and two that no RFC has."""

    POST = "client_secret_post"
    BASIC = "client_secret_basic"
    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"
    AWS_IAM_JWT = "aws_iam_jwt"
    """The assertion names the function's role, and AWS STS signs it: no secret and no key of one's own."""
    SECRET_AS_USER = "secret_as_user"  # noqa: S105 - the name of a method: Basic, with the secret as user name (Stripe)


ASSERTED: Final = frozenset({AuthMethod.PRIVATE_KEY_JWT, AuthMethod.AWS_IAM_JWT})
"""The methods that send a client assertion (RFC 7523)."""


class Grant(StrEnum):
    """What a refresh redeems. The value is the `grant_type` of RFC 6749, unless a profile sets another one."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a grant type (RFC 6749 section 6)
    CLIENT_CREDENTIALS = "client_credentials"
    EXCHANGE = "exchange"
    """The access token itself, while it is valid (Meta). Its profiles set `grant_type`: each API has its own name."""


class Encoding(StrEnum):
    """Where the fields of a request go, or how the body of a response is written."""

    FORM = "form"
    JSON = "json"
    QUERY = "query"


class Expiry(StrEnum):
    """How a response says when the access token expires."""

    EXPIRES_IN = "expires_in"
    """Seconds from now (RFC 6749 section 5.1)."""
    EPOCH = "epoch"
    """Unix seconds."""
    ISO = "iso"
    """ISO 8601."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RequestFormat:
    """How a provider wants its token requests."""

    auth_method: AuthMethod = AuthMethod.POST
    grant: Grant = Grant.REFRESH_TOKEN
    grant_type: str | None = None
    """The value of `grant_type`, where it is not the grant's name in RFC 6749."""
    method: str = "POST"
    encoding: Encoding = Encoding.FORM
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Field names that differ from RFC 6749's, such as `client_key` for `client_id`. An empty one drops the field."""
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Further fields of a refresh request."""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    assertion_algorithm: str = "RS256"
    assertion_audience: str | None = None
    """The `aud` of a client assertion; None for the token endpoint."""
    assertion_headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Further JOSE headers, such as `kid`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Matcher:
    """Recognises a response by exact values, never by a part of a text."""

    status: int | None = None
    fields: Mapping[str, str | int | bool] = field(default_factory=dict, hash=False)
    """Paths with a dot between the steps (`errors.0.code`), and the value that each must have; none: any body."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResponseFormat:
    """How a provider responds. The matchers decide before the status and RFC 6749's own codes."""

    encoding: Encoding = Encoding.JSON
    envelope: tuple[str, ...] = ()
    """Keys that lead to the object which holds the tokens."""
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Field names that differ from RFC 6749's, such as `token` for `access_token`."""
    expiry: Expiry = Expiry.EXPIRES_IN
    unknown: tuple[Matcher, ...] = ()
    """The refresh token may have been redeemed."""
    busy: tuple[Matcher, ...] = ()
    """Nothing was redeemed; send it again later."""
    client: tuple[Matcher, ...] = ()
    """The client credentials are wrong."""
    dead: tuple[Matcher, ...] = ()
    """The grant has ended."""
    keep: tuple[str, ...] = ()
    """Fields that go into the token document, such as `instance_url`, or `team.id` as `team_id`."""
    rotates: bool = False
    """Whether each success brings a new refresh token, so that one without any can't be read."""

    @property
    def extra(self) -> dict[str, list[str]]:
        """The keys of the token document that keep a field, and the path to each in a response."""
        return {path.replace(".", "_"): path.split(".") for path in self.keep}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RevocationFormat:
    """How a provider revokes tokens, where it is not as RFC 7009 says."""

    access_token: bool = False
    """Whether the access token is sent, and not the refresh token."""
    field: str = "token"
    """The field that carries the token."""
    encoding: Encoding | None = None
    """None: that of a token request."""
    note: str = ""
    """What somebody must know who ends a grant here."""


RFC_6749_REQUEST: Final = RequestFormat()
RFC_6749_RESPONSE: Final = ResponseFormat()
