"""What a response of the token endpoint proves (RFC 6749 section 5). Nothing here sends or receives.

The provider's matchers decide first, then the status, then the `error` code. A description never decides:

    seen                                              redeemed?   again within a run   kind
    no connection                                     no          yes                  NOT_SENT
    a certificate that isn't trusted                  no          no                   UNTRUSTED
    no signature of the client assertion              no          no                   NOT_SIGNED
    429; 503 of the provider itself                   no          yes, `Retry-After`   BUSY
    no response after sending, 408, 499, other 5xx    perhaps     in the grace period  NO_RESPONSE
    otherwise with one of these two `error` codes     perhaps     in the grace period  NO_RESPONSE
    2xx that is not a token response                  perhaps     in the grace period  UNREADABLE
    3xx, 4xx without an RFC 6749 error code           no          no                   UNEXPECTED
    `invalid_grant`                                   rejected    no                   GRANT_REJECTED
    `invalid_client`, `unauthorized_client`           rejected    no                   CLIENT_REJECTED
    any other RFC 6749 code                           rejected    no                   REQUEST_REJECTED

A gateway says 503 after it forwarded a request, too. The provider's own has `Retry-After` and a JSON object with a
string `error` other than `server_error`: `Retry-After` alone is in Varnish's stock error page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Final

from token_refresh.secret_value import SecretValue
from token_refresh.stored.times import LONGEST_LIFETIME
from token_refresh_worker.oauth.body import (
    as_token,
    extra_value,
    find,
    is_like_refresh_token,
    is_nothing,
    json_error,
    matches,
    only_object,
    pointers,
    read_end,
    read_fields,
    read_lifetime,
    read_moment,
    texts,
)
from token_refresh_worker.oauth.formats import RFC_6749_RESPONSE, Encoding, Expiry, ResponseFormat
from token_refresh_worker.oauth.scopes import read_scopes

BODY_LIMIT_BYTES: Final = 262_144
"""How much of a response is read; a token response has a few kilobytes, and some providers add a whole profile."""

_REFRESH_TOKEN: Final = re.compile(r"(?:^|/)refresh[\W_]*token$", re.IGNORECASE)

_MOST_NAMED: Final = 10
"""How many fields of a response an error names."""

_GATEWAY_GAVE_UP: Final = frozenset({408, 499})
"""Request Timeout, and nginx's "client closed request": a gateway says both after it forwarded the request, too."""


class FailureKind(Enum):
    """What kind of failure a response, or its absence, is: the table in the module's docstring."""

    NOT_SENT = "not_sent"
    UNTRUSTED = "untrusted"
    NOT_SIGNED = "not_signed"
    BUSY = "busy"
    NO_RESPONSE = "no_response"
    UNREADABLE = "unreadable"
    UNEXPECTED = "unexpected"
    GRANT_REJECTED = "grant_rejected"
    CLIENT_REJECTED = "client_rejected"
    REQUEST_REJECTED = "request_rejected"

    @property
    def may_have_redeemed(self) -> bool:
        """Whether the refresh token may have been redeemed although no tokens arrived."""
        return self in {FailureKind.NO_RESPONSE, FailureKind.UNREADABLE}


_LEAST_TOKEN: Final = 1_000_000
"""A number below this is no secret."""
_ERROR_CODES: Final = {
    "invalid_grant": FailureKind.GRANT_REJECTED,
    "invalid_client": FailureKind.CLIENT_REJECTED,
    "unauthorized_client": FailureKind.CLIENT_REJECTED,
    "invalid_request": FailureKind.REQUEST_REJECTED,
    "unsupported_grant_type": FailureKind.REQUEST_REJECTED,
    "invalid_scope": FailureKind.REQUEST_REJECTED,
}  # RFC 6749 section 5.2
_LATER: Final = "temporarily_unavailable"
_UNSURE_CODES: Final = ("server_error", _LATER)  # RFC 6749 section 4.1.2.1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TokenResponse:
    """A successful response (RFC 6749 section 5.1)."""

    access_token: SecretValue
    refresh_token: SecretValue | None
    """None where the provider sent none: the old one stays valid (RFC 6749 section 6)."""
    lifetime: timedelta | None
    """None where the response doesn't say it as a duration that can be used; zero says that the token is over."""
    expires_at: datetime | None = None
    """Where the response says it as a moment, or a number of seconds that may be one."""
    refresh_token_ends: tuple[timedelta | datetime, ...] = ()
    """When the grant ends, as far as the response states it."""
    scopes: tuple[str, ...] | None = None
    """None where the response names none: they are unchanged (RFC 6749 section 6)."""
    extra: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    """What the provider's profile keeps next to the tokens."""

    def lifetime_from(self, sent_at: datetime) -> timedelta | None:
        """Return how long the access token lives, counted from when the request was sent; None too if it is over."""
        if self.is_over(sent_at):
            return None
        if self.expires_at is None or self.expires_at < sent_at + timedelta(seconds=1):
            return min(self.lifetime, LONGEST_LIFETIME) if self.lifetime else None
        return min(self.expires_at - sent_at, LONGEST_LIFETIME)

    def is_over(self, sent_at: datetime) -> bool:
        """Whether the response says that its access token is over; a moment of decades ago is meant as "never"."""
        past = self.expires_at is not None and -LONGEST_LIFETIME < self.expires_at - sent_at < timedelta(seconds=1)
        return past or self.lifetime == timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FailedRequest:
    """A request that brought no tokens, or was not sent."""

    kind: FailureKind
    seen: str
    """What was seen, without any value of the response."""
    error: str | None = None
    """The RFC 6749 error code, or the value that the profile matched."""
    retry_after: timedelta | None = None
    unread: SecretValue | None = field(default=None, compare=False)
    """The response as it is stored, where it may hold tokens (`oauth.unread`)."""


EndpointResponse = TokenResponse | FailedRequest


def read_response(
    status: int,
    body: bytes | None,
    retry_after: timedelta | None = None,
    response_format: ResponseFormat = RFC_6749_RESPONSE,
) -> EndpointResponse:
    """Decide what an HTTP response is, and what it proves.

    A `body` of None was not read, because it is encoded or over `BODY_LIMIT_BYTES`. `retry_after` is the header of that
    name, read (RFC 9110 section 10.2.3).
    """
    fields = None if body is None else read_fields(body, response_format.encoding)
    read = _match(status, fields, response_format) or _read_status(status, body, fields, response_format)
    if not isinstance(read, FailedRequest):
        return read
    # A 503 that its matchers don't know: whose is it?
    waits = status == 503 and retry_after is not None  # noqa: PLR2004 - RFC 9110 section 15.6.4
    if waits and read.kind is FailureKind.NO_RESPONSE and read.error in {None, _LATER} and _has_error(body):
        read = replace(read, kind=FailureKind.BUSY)
    return replace(_with_own_code(read, fields or {}, response_format), retry_after=retry_after)


def _with_own_code(read: FailedRequest, fields: Mapping[str, object], response_format: ResponseFormat) -> FailedRequest:
    """Name a code of the provider's own that no matcher lists: a small integer where its matchers look is no token."""
    matchers = (*response_format.unknown, *response_format.busy, *response_format.client, *response_format.dead)
    found = {path: find(fields, path.split(".")) for matcher in matchers for path in matcher.fields}
    for path, code in found.items():
        if read.error is None and type(code) is int and 0 <= code < _LEAST_TOKEN:
            return replace(read, seen=f"{read.seen}, {path}={code}", error=str(code))
    return read


def _read_status(
    status: int, body: bytes | None, fields: Mapping[str, object] | None, response_format: ResponseFormat
) -> EndpointResponse:
    # The profile knows a 4xx that means a redemption, and this may be one.
    if body is None and 400 <= status < 500 and any(m.status in {None, status} for m in response_format.unknown):  # noqa: PLR2004
        return FailedRequest(kind=FailureKind.UNREADABLE, seen=f"HTTP {status} with a body that could not be read")
    code = _unsure_code(body, fields)
    if code is not None and not 200 <= status < 300:  # noqa: PLR2004 - the classes of RFC 9110 section 15
        return FailedRequest(kind=FailureKind.NO_RESPONSE, seen=f"HTTP {status} with {code}", error=code)
    if status == 429:  # noqa: PLR2004 - RFC 6585 section 4
        return FailedRequest(kind=FailureKind.BUSY, seen=f"HTTP {status}")
    if 200 <= status < 300:  # noqa: PLR2004 - the classes of RFC 9110 section 15
        return _read_success(status, body, fields, response_format)
    if 300 <= status < 500 and status not in _GATEWAY_GAVE_UP:  # noqa: PLR2004 - likewise
        return _read_refusal(status, fields)
    return FailedRequest(kind=FailureKind.NO_RESPONSE, seen=f"HTTP {status}")


def _unsure_code(body: bytes | None, fields: Mapping[str, object] | None) -> str | None:
    """Return the code of an authorization server that failed: nobody knows how far it came."""
    codes = [(fields or {}).get("error"), json_error(body)]
    return next((code for code in _UNSURE_CODES if code in codes), None)


def _has_error(body: bytes | None) -> bool:
    """Whether the provider's application wrote the body: a JSON object with an error code, as in RFC 6749."""
    error = json_error(body)
    return isinstance(error, str) and error != ""


def _match(status: int, fields: Mapping[str, object] | None, response_format: ResponseFormat) -> FailedRequest | None:
    """Apply the provider's matchers; where several fit, the one that concludes least wins."""
    for kind, matchers in (
        (FailureKind.UNREADABLE, response_format.unknown),
        (FailureKind.BUSY, response_format.busy),
        (FailureKind.CLIENT_REJECTED, response_format.client),
        (FailureKind.GRANT_REJECTED, response_format.dead),
    ):
        known = (matcher for matcher in matchers if matcher.status in {None, status})
        found = next((matcher for matcher in known if matches(fields or {}, matcher.fields)), None)
        if found is not None:
            # The profile's own values: the response has exactly these, and nothing else of it is quoted.
            values = ", ".join(f"{path}={value}" for path, value in found.fields.items())
            error = next((str(value) for value in found.fields.values()), None)
            return FailedRequest(kind=kind, seen=f"HTTP {status}{values and f' with {values}'}", error=error)
    return None


def _read_success(
    status: int, body: bytes | None, fields: Mapping[str, object] | None, response_format: ResponseFormat
) -> EndpointResponse:
    if fields is None and body is not None and response_format.encoding is not Encoding.FORM:
        fields = only_object(body)
    tokens = None if fields is None else find(fields, response_format.envelope)
    read = _read_tokens(tokens, response_format) if isinstance(tokens, dict) else ""
    elsewhere = (
        isinstance(read, TokenResponse)
        and read.refresh_token is None
        and _refreshes_elsewhere(fields, rotates=response_format.rotates)
    )
    # Some providers report errors with 200. Beside both tokens an `error` says nothing: a text, a code of success.
    if isinstance(read, TokenResponse) and (read.refresh_token or not (elsewhere or (fields or {}).get("error"))):
        return read
    if body is None:
        why = f"a body that is encoded or over {BODY_LIMIT_BYTES} bytes"
    elif fields is None:
        why = f"a body that is not {'form-encoded' if response_format.encoding is Encoding.FORM else 'a JSON object'}"
    elif fields.get("error"):
        why = "an error in it"
        # In a form a piece of a token can look like a name.
        if response_format.encoding is Encoding.JSON:
            why += f", among the fields {', '.join(pointer for pointer, _ in islice(pointers(fields), _MOST_NAMED))}"
    elif elsewhere:
        why = "a refresh token in an unknown place"
    elif not isinstance(tokens, dict):
        why = f"no object at {'.'.join(response_format.envelope)}"
    else:
        why = str(read)
    return FailedRequest(kind=FailureKind.UNREADABLE, seen=f"HTTP {status} with {why}")


def _read_tokens(tokens: Mapping[str, object], response_format: ResponseFormat) -> TokenResponse | str:
    """Read the tokens, or say why they can't be used."""

    def named(name: str) -> object:
        return tokens.get(response_format.names.get(name, name))

    # In the style of another language it is the same name, if it is the only one: refreshToken, Refresh-Token.
    known = [named("refresh_token")] if not is_nothing(named("refresh_token")) else _spelled(tokens, "refreshtoken")
    access_token, refresh_token = as_token(named("access_token")), as_token(known[0]) if len(known) == 1 else None
    if access_token is None:
        return "no usable access_token"
    if refresh_token is None and known:
        return "a refresh_token that is not one"
    # Intuit states two: one that a refresh moves, and one that none does.
    ends = [read_end(named(name)) for name in ("refresh_token_expires_in", "refresh_token_hard_expires_in")]
    lifetime, expires_at = read_expiry(named("expires_in"), response_format.expiry)
    return TokenResponse(
        access_token=access_token,
        refresh_token=refresh_token,
        lifetime=lifetime,
        expires_at=expires_at,
        refresh_token_ends=tuple(end for end in ends if end is not None),
        scopes=read_scopes(tokens.get("scope")),
        extra={
            name: value
            for name, path in response_format.extra.items()
            if (value := extra_value(find(tokens, path))) is not None
        },
    )


def _spelled(tokens: Mapping[str, object], letters: str) -> list[object]:
    """Return the values whose names have these letters, whatever is between them."""
    alike = (value for name, value in tokens.items() if "".join(filter(str.isalnum, name)).lower() == letters)
    return [value for value in alike if not is_nothing(value)]


def _refreshes_elsewhere(fields: Mapping[str, object] | None, *, rotates: bool) -> bool:
    """Whether a response without a refresh token where the profile expects it names one in another place.

    Where each success brings one, also under another name. The token that was sent would stay stored, and at a
    single-use provider it is used up.
    """
    return any(
        text
        and not is_nothing(text)
        and (_REFRESH_TOKEN.search(path) or (rotates and is_like_refresh_token(path, text)))
        for path, text in texts(fields)
    )


def read_expiry(value: object, expiry: Expiry) -> tuple[timedelta | None, datetime | None]:
    """Read when an access token expires. So many seconds that nobody means a duration are taken for Unix time."""
    lifetime = read_lifetime(value) if expiry is Expiry.EXPIRES_IN else None
    is_moment = expiry is not Expiry.NONE and (lifetime is None or lifetime >= LONGEST_LIFETIME)
    return lifetime, read_moment(value) if is_moment else None


def _read_refusal(status: int, fields: Mapping[str, object] | None) -> FailedRequest:
    error = (fields or {}).get("error") if status >= 400 else None  # noqa: PLR2004 - a 3xx has no error
    if not isinstance(error, str) or error not in _ERROR_CODES:
        return FailedRequest(kind=FailureKind.UNEXPECTED, seen=f"HTTP {status} without an RFC 6749 error code")
    return FailedRequest(kind=_ERROR_CODES[error], seen=f"HTTP {status} with {error}", error=error)
