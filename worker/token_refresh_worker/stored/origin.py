"""Where a stored token set comes from: the key `tokenRefresh` of a token document.

The worker and `token-refresh authorize` write it. It ties a refresh token to one host, one grace period and one claim
store, so that a deployment with other settings can't misuse the token. An unreadable key counts as missing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh.stored.access_token import EXTRA_NAME, read_life
from token_refresh.stored.times import iso, read_iso

T = TypeVar("T")

ORIGIN_KEY: Final = "tokenRefresh"

FORM: Final = 1
"""The newest form of claims and of this key that this release understands; none stored means the first.

A later release raises it where an older one would misread what it stores, and must refuse it. New members alone need no
new form: a reader ignores those that it doesn't know.
"""

LONGEST_GRACE: Final = timedelta(days=30)
"""What `static` and `until_used` in a profile count as; `REPLAY_GRACE_SECONDS` has the same limit."""

HOST: Final = re.compile(r"[\x21-\x7e]{1,253}")  # the longest name in DNS (RFC 1035 section 2.3.4)

HIGHEST_NUMBER: Final = 10**12
"""No secret ever has so many claims: a larger stored number is damage."""

LONGEST_NOTICE: Final = timedelta(days=7)
"""How long before its end a grant counts as ending; a short grant does so in the last quarter of its life."""

_TABLE: Final = re.compile(r"[\x21-\x7e]{1,255}")  # a name, or an ARN (`TableName` of the DynamoDB API)

FINGERPRINT: Final = re.compile(r"[A-Za-z0-9_-]{22}")
"""The fingerprint of a refresh token (`core.attempts.fingerprint_of`)."""

_VERSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{32,64}")  # `ClientRequestToken` of `PutSecretValue`

DAMAGED: Final = (InvalidSecretDocument, AttributeError, KeyError, TypeError, ValueError, OverflowError)
"""What reading raises where something else is stored than we write."""


class ClaimStoreKind(StrEnum):
    """Where the claims on a token secret are stored."""

    VERSIONS = "versions"
    """As versions of the secret."""
    TABLE = "table"
    """As one DynamoDB item."""


@dataclass(frozen=True, slots=True, repr=False)
class StoreName:
    """Names a claim store completely: another table is another store."""

    kind: ClaimStoreKind
    table: str | None = None
    """The table's name; None for versions, and in advice on a table to be named."""

    def __str__(self) -> str:
        """Name it in a sentence."""
        if self.kind is ClaimStoreKind.VERSIONS:
            return "the secret"
        return f"table {self.table}" if self.table else "a table"

    def as_fields(self) -> dict[str, object]:
        """Return the members of a JSON object that name it."""
        return {"store": self.kind.value, **({"table": self.table} if self.table else {})}


IN_VERSIONS: Final = StoreName(ClaimStoreKind.VERSIONS)


def in_table(name: str) -> StoreName:
    """Name a table."""
    return StoreName(ClaimStoreKind.TABLE, name)


def read_store_name(fields: Mapping[str, object]) -> StoreName:
    """Read the members of a JSON object that name a claim store."""
    kind = ClaimStoreKind(str(fields.get("store")))
    return IN_VERSIONS if kind is ClaimStoreKind.VERSIONS else in_table(matching(_TABLE, fields.get("table")))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ForeignSets:
    """Token sets that neither a run nor a command of ours stored: something else refreshes this secret, too."""

    count: int
    version_id: str
    """The last of them."""
    stored_at: datetime

    def as_fields(self) -> dict[str, object]:
        """Return the JSON object to store."""
        return {"count": self.count, "version": self.version_id, "at": iso(self.stored_at)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Asked:
    """What refreshes in vain showed: they brought the same access token again."""

    left: timedelta | None
    """The least that was left of it; None if only the token before was asked for in vain."""
    at: datetime
    """When the last of them was."""
    tokens: int = 1
    """Of how many tokens in a row."""

    def as_fields(self) -> dict[str, object]:
        """Return the members of `tokenRefresh` to store."""
        seconds = None if self.left is None else int(self.left.total_seconds())
        return {"asked_left_seconds": seconds, "asked_at": iso(self.at), "asked_tokens": self.tokens}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Origin:
    """What a token set says of itself."""

    host: str
    """The host of the token endpoint that issued the refresh token, and the only one that may receive it."""
    grace: timedelta
    """How long that provider accepts a refresh token after it was redeemed."""
    claim_store: StoreName
    claim_id: str | None = None
    """The claim under which the tokens were received, or a later one that is known; None for a first grant."""
    number: int = 0
    """That claim's number."""
    authorized: bool = False
    """Whether `token-refresh authorize` stored the tokens."""
    grant_ends_at: datetime | None = None
    """When the provider will reject the refresh token, unless a refresh prolongs the grant; None if nobody knows."""
    grant_began_at: datetime | None = None
    """When that grant began, or a refresh last moved its end; None if nobody knows."""
    revoked_at: datetime | None = None
    """When `token-refresh revoke` ended the grant. It counts where the document holds no token."""
    scopes: tuple[str, ...] | None = None
    """What the tokens are good for; None if no response has said it."""
    scopes_lost: tuple[str, ...] = ()
    """What refreshes took of them since the grant began."""
    token: str | None = None
    """The fingerprint of the refresh token that a command stored: a copy of this key beside another token proves
    nothing. Runs don't write it: their claims say which tokens they brought.
    """
    recovered: str | None = None
    """The claim whose response a person read these tokens from. It counts beside `token` alone."""
    foreign: ForeignSets | None = None
    """What something else stored since the grant began, as far as runs have seen it."""
    extra_names: tuple[str, ...] = ()
    """The keys beside the tokens that consumers may read, as the provider's profile names them."""
    lifetime: timedelta | None = None
    """How long the access token lives, from its own issue on; None in what older releases stored."""
    asked: Asked | None = None

    @property
    def grant_ending_at(self) -> datetime | None:
        """When the grant counts as ending."""
        return self.grant_ends_at and ending_at(self.grant_ends_at, self.grant_began_at)

    def placed_like(self, other: "Origin | None") -> "Origin":
        """Return it with the claim store and the claim of the newer of the two: claims may have been moved."""
        if other is None or other.number < self.number:
            return self
        return replace(self, claim_store=other.claim_store, claim_id=other.claim_id, number=other.number)

    def as_fields(self) -> dict[str, object]:
        """Return the JSON object to store."""
        fields = {
            "claim": self.claim_id,
            "number": None if self.claim_id is None else self.number,
            "host": self.host,
            "grace_seconds": int(self.grace.total_seconds()),
            **self.claim_store.as_fields(),
            "authorized": self.authorized or None,
            "grant_ends_at": self.grant_ends_at and iso(self.grant_ends_at),
            "grant_began_at": self.grant_began_at and iso(self.grant_began_at),
            "scopes": None if self.scopes is None else list(self.scopes),
            "scopes_lost": list(self.scopes_lost) or None,
            "revoked_at": self.revoked_at and iso(self.revoked_at),
            "token": self.token,
            "recovered": self.recovered,
            "foreign": self.foreign and self.foreign.as_fields(),
            "kept": list(self.extra_names) or None,
            "lifetime_seconds": self.lifetime and int(self.lifetime.total_seconds()),
            **(self.asked.as_fields() if self.asked else {}),
        }
        return {name: value for name, value in fields.items() if value is not None}


def ending_at(ends_at: datetime, began_at: datetime | None) -> datetime:
    """Return when a grant counts as ending."""
    if began_at is None or began_at >= ends_at:
        return ends_at - LONGEST_NOTICE
    # Less than the refresh window's part: a grant that each refresh prolongs never comes this close to its end.
    return ends_at - min(LONGEST_NOTICE, (ends_at - began_at) / 4)


def read_origin(fields: Mapping[str, object]) -> Origin | None:
    """Read the key; None where it is missing or unreadable. `check_form` refuses that of a later release."""
    return if_readable(_read_origin, fields.get(ORIGIN_KEY))


def checked_form(read: Callable[[], T], what: str) -> T:
    """Read something, and let the error of `check_form` name it."""
    try:
        return read()
    except ConfigurationError as error:
        problem, fix = error.what, error.fix
    raise ConfigurationError(f"{what}: {problem}", fix=fix)


def check_form(fields: Mapping[str, object]) -> None:
    """Raise `ConfigurationError` where a later release stored this, in a form that must not be misread."""
    form = fields.get("form", FORM)
    if type(form) is int and form > FORM:
        raise ConfigurationError(
            f"a later release stored it, in form {form}, and this one understands forms up to {FORM}; nothing was sent",
            fix="Deploy the later release again",
        )


def _read_origin(found: Mapping[str, Any]) -> Origin:
    check_form(found)
    claim_id = found.get("claim")
    number = _number_up_to(found.get("number", 0), HIGHEST_NUMBER)
    return Origin(
        host=matching(HOST, found["host"]),
        grace=timedelta(seconds=_number_up_to(found["grace_seconds"], int(LONGEST_GRACE.total_seconds()))),
        claim_store=read_store_name(found),
        claim_id=None if claim_id is None else matching(_VERSION_ID, claim_id),
        # A number without its claim leads to no claim.
        number=number if claim_id is not None else 0,
        authorized=found.get("authorized") is True,
        grant_ends_at=if_readable(read_iso, found.get("grant_ends_at")),
        grant_began_at=if_readable(read_iso, found.get("grant_began_at")),
        revoked_at=if_readable(read_iso, found.get("revoked_at")),
        scopes=_read_texts(found.get("scopes")),
        scopes_lost=_read_texts(found.get("scopes_lost")) or (),
        token=if_readable(partial(matching, FINGERPRINT), found.get("token")),
        recovered=if_readable(partial(matching, _VERSION_ID), found.get("recovered")),
        foreign=if_readable(_read_foreign, found.get("foreign")),
        extra_names=tuple(name for name in _read_texts(found.get("kept")) or () if EXTRA_NAME.fullmatch(name)),
        lifetime=read_life(found, "lifetime_seconds"),
        asked=if_readable(_read_asked, found),
    )


def _read_asked(found: Mapping[str, Any]) -> Asked:
    tokens = _number_up_to(found.get("asked_tokens", 1), HIGHEST_NUMBER)
    return Asked(left=read_life(found, "asked_left_seconds"), at=read_iso(found["asked_at"]), tokens=tokens)


def _read_foreign(found: Mapping[str, Any]) -> ForeignSets:
    return ForeignSets(
        count=_number_up_to(found["count"], HIGHEST_NUMBER),
        version_id=matching(_VERSION_ID, found["version"]),
        stored_at=read_iso(found["at"]),
    )


def if_readable(read: Callable[[Any], T], value: object) -> T | None:
    """Read what may be missing or damaged; None where it is, so that it hides nothing beside it."""
    try:
        return read(value)
    except DAMAGED:
        return None


def matching(pattern: re.Pattern[str], value: object) -> str:
    """Read a text that the pattern fits; any other value is a `TypeError`."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise TypeError
    return value


def _read_texts(value: object) -> tuple[str, ...] | None:
    is_list = isinstance(value, list) and all(isinstance(text, str) for text in value)
    return tuple(value) if is_list else None  # type: ignore[arg-type]  # a list


def _number_up_to(value: object, highest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise TypeError
    return value
