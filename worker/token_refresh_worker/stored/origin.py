"""Where a stored token set comes from: the key `tokenRefresh` of a token document.

The worker and `token-refresh authorize` write it. It ties a refresh token to one host, one grace period and one claim
store, so that a deployment with other settings can't misuse the token. An unreadable key counts as missing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeGuard

from token_refresh.stored.times import iso, read_iso

ORIGIN_KEY: Final = "tokenRefresh"

LONGEST_GRACE: Final = timedelta(days=30)
"""What `static` and `until_used` in a profile count as; `REPLAY_GRACE_SECONDS` has the same limit."""

HOST: Final = re.compile(r"[\x21-\x7e]{1,253}")  # the longest name in DNS (RFC 1035 section 2.3.4)

HIGHEST_NUMBER: Final = 10**12
"""No secret ever has so many claims: a larger stored number is damage."""

LONGEST_NOTICE: Final = timedelta(days=7)
"""How long before its end a grant counts as ending; a short grant does so in the last quarter of its life."""

_VERSION_ID: Final = re.compile(r"[A-Za-z0-9_-]{32,64}")  # `ClientRequestToken` of `PutSecretValue`


class ClaimStoreKind(StrEnum):
    """Where the claims on a token secret are stored."""

    VERSIONS = "versions"
    """As versions of the secret."""
    TABLE = "table"
    """As one DynamoDB item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a token set says of itself."""

    host: str
    """The host of the token endpoint that issued the refresh token, and the only one that may receive it."""
    grace: timedelta
    """How long that provider accepts a refresh token after it was redeemed."""
    claim_store: ClaimStoreKind
    claim_id: str | None = None
    """The claim under which the tokens were received, or for a new grant the last one before it; None for the first."""
    number: int = 0
    """That claim's number."""
    authorized: bool = False
    """Whether `token-refresh authorize` stored the tokens."""
    grant_ends_at: datetime | None = None
    """When the provider will reject the refresh token, unless a refresh prolongs the grant; None if nobody knows."""
    grant_began_at: datetime | None = None
    """When that grant began, or a refresh last moved its end; None if nobody knows."""

    @property
    def grant_ending_at(self) -> datetime | None:
        """When the grant counts as ending."""
        if self.grant_ends_at is None:
            return None
        notice = LONGEST_NOTICE
        if self.grant_began_at is not None and self.grant_began_at < self.grant_ends_at:
            # Less than the refresh window's part: a grant that each refresh prolongs never comes this close to its end.
            notice = min(notice, (self.grant_ends_at - self.grant_began_at) / 4)
        return self.grant_ends_at - notice

    def as_fields(self) -> dict[str, object]:
        """Give the JSON object to store."""
        fields: dict[str, object] = {
            "host": self.host,
            "grace_seconds": int(self.grace.total_seconds()),
            "store": self.claim_store.value,
        }
        if self.authorized:
            fields["authorized"] = True
        if self.grant_ends_at is not None:
            fields["grant_ends_at"] = iso(self.grant_ends_at)
        if self.grant_began_at is not None:
            fields["grant_began_at"] = iso(self.grant_began_at)
        return fields if self.claim_id is None else {"claim": self.claim_id, "number": self.number, **fields}


def read_origin(fields: Mapping[str, object]) -> Origin | None:
    """Read the key; None where it is missing or unreadable."""
    found = fields.get(ORIGIN_KEY)
    if not isinstance(found, dict):
        return None
    host, claim_id = found.get("host"), found.get("claim")
    grace_seconds, number = found.get("grace_seconds"), found.get("number", 0)
    try:
        store = ClaimStoreKind(str(found.get("store")))
    except ValueError:
        return None
    if not isinstance(host, str) or not HOST.fullmatch(host):
        return None
    if claim_id is not None and not (isinstance(claim_id, str) and _VERSION_ID.fullmatch(claim_id)):
        return None
    if not _is_whole(grace_seconds, int(LONGEST_GRACE.total_seconds())) or not _is_whole(number, HIGHEST_NUMBER):
        return None
    return Origin(
        host=host,
        grace=timedelta(seconds=grace_seconds),
        claim_store=store,
        claim_id=claim_id,
        # A number without its claim leads to no claim.
        number=number if claim_id is not None else 0,
        authorized=found.get("authorized") is True,
        grant_ends_at=_read_moment(found.get("grant_ends_at")),
        grant_began_at=_read_moment(found.get("grant_began_at")),
    )


def _read_moment(value: object) -> datetime | None:
    try:
        return read_iso(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_whole(value: object, highest: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= highest
