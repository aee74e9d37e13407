"""The token document: the JSON object in which a token set is stored.

Tokens are written back in the spelling and the form they were read in (see `spelling`), with the time of issue added.
Every other key is kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import located, read_object, write_object
from token_refresh.stored.spelling import CAMEL, Spelling, find_spelling, read_token
from token_refresh.stored.times import LONGEST_LIFETIME
from token_refresh_worker.stored.origin import ORIGIN_KEY, Origin, read_origin

DEFAULT_LIFETIME: Final = timedelta(hours=1)
"""The lifetime of new tokens where neither the provider nor the previous token set states one."""

SIZE_LIMIT_BYTES: Final = 65_536
"""The limit of Secrets Manager for a value (`PutSecretValue`, SecretString)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TokenDocument:
    """A token set as it is stored, with everything needed to write the next one in the same form."""

    refresh_token: SecretValue
    """Empty in the document of a grant without refresh tokens."""
    access_token: SecretValue | None
    expires_at: datetime | None
    issued_at: datetime | None
    origin: Origin | None
    """The key `tokenRefresh`; None if it is missing or unreadable."""
    spelling: Spelling
    fields: Mapping[str, object]
    """Every key as it is stored, secrets included: for reading client credentials beside the tokens."""
    doubted_expiry: datetime | None = None
    """What is stored as the expiry and can't be it, so that `expires_at` is None."""

    @property
    def lifetime(self) -> timedelta | None:
        """The whole lifetime of the access token; None if the document does not say it, or when it was issued."""
        if self.origin is not None and self.origin.lifetime is not None:
            return self.origin.lifetime
        if self.expires_at is None or self.issued_at is None or self.issued_at >= self.expires_at:
            return None
        return min(self.expires_at - self.issued_at, LONGEST_LIFETIME)

    @property
    def used_at(self) -> datetime | None:
        """When the grant was last used; None if nobody knows. Another job may have left `issuedAt` as it was."""
        if self.issued_at is None or self.expires_at is None or self.lifetime is None:
            return self.issued_at
        # Times that others write have fractions of a second, and those of a grant have none.
        return max(self.issued_at, self.expires_at - self.lifetime).replace(microsecond=0)

    @property
    def redeemed_token(self) -> SecretValue:
        """What a refresh redeems: the refresh token; where there are none, the access token; empty without either."""
        return self.refresh_token or self.access_token or SecretValue("")

    def renewed(  # noqa: PLR0913 - the parts of a token response, all by name
        self,
        *,
        access_token: SecretValue,
        refresh_token: SecretValue | None,
        lifetime: timedelta | None,
        issued_at: datetime,
        extra: Mapping[str, str | int] | None = None,
        origin: Origin | None = None,
    ) -> "TokenDocument":
        """Return the document with the tokens of a token response (RFC 6749 section 5.1).

        Without a `refresh_token` the old one stays (RFC 6749 section 6), and without a `lifetime` (`expires_in`) that
        can be used, the previous one. `issued_at` is when the request was sent: the response came later, so the stored
        expiry is never too late. `extra` has what the profile keeps of the response. `origin` says where the tokens
        come from; None removes the key `tokenRefresh`.
        """
        # Stored times have whole seconds, and a run must hold in memory what the next one reads (test_document.py).
        issued_at = issued_at.replace(microsecond=0)
        lifetime = whole_seconds(lifetime or self.lifetime or DEFAULT_LIFETIME)
        expires_at = issued_at + lifetime
        origin = origin and replace(origin, lifetime=whole_seconds(origin.lifetime or lifetime))
        spelling = self.spelling
        next_refresh_token = refresh_token or self.refresh_token
        others = {name: value for name, value in self.fields.items() if name != ORIGIN_KEY}
        return TokenDocument(
            refresh_token=next_refresh_token,
            access_token=access_token,
            expires_at=expires_at,
            issued_at=issued_at,
            origin=origin,
            spelling=spelling,
            fields={
                **others,
                **({} if origin is None else {ORIGIN_KEY: origin.as_fields()}),
                **(extra or {}),
                spelling.access_token: access_token.reveal(),
                **({spelling.refresh_token: next_refresh_token.reveal()} if next_refresh_token else {}),
                # Other readers of this secret expect the form that it has.
                spelling.expires_at: spelling.write_time(expires_at, self.fields),
                spelling.issued_at: spelling.write_time(issued_at, self.fields),
            },
        )

    def dated(self, expires_at: datetime | None, issued_at: datetime | None) -> "TokenDocument":
        """Return the document with these times in place of the stored ones."""
        times = {self.spelling.expires_at: expires_at, self.spelling.issued_at: issued_at}
        written = {key: self.spelling.write_time(time, self.fields) for key, time in times.items() if time}
        return replace(self, expires_at=expires_at, issued_at=issued_at, fields={**self.fields, **written})

    @property
    def revoked_at(self) -> datetime | None:
        """When the grant was revoked; None if it was not, or if tokens were stored since then."""
        return self.origin.revoked_at if self.origin and not self.redeemed_token else None

    def revoked(self, origin: Origin) -> "TokenDocument":
        """Return the document without its tokens; `origin` says when the grant was revoked."""
        spelling = self.spelling
        others = {name: value for name, value in self.fields.items() if name not in spelling.keys}
        # Without any of these keys nothing would say in which spelling the next tokens are expected.
        others[spelling.refresh_token] = None
        return TokenDocument(
            refresh_token=SecretValue(""),
            access_token=None,
            expires_at=None,
            issued_at=None,
            origin=origin,
            spelling=spelling,
            fields={**others, ORIGIN_KEY: origin.as_fields()},
        )

    def carried(self, onto: "TokenDocument", *, extra_names: Iterable[str] = ()) -> "TokenDocument":
        """Return `onto`, which someone saved meanwhile, with this document's token set in its own spelling.

        `extra_names` came with the tokens, as the provider's profile names them; all others are those of `onto`.
        """
        if self.access_token is None or self.issued_at is None:
            raise InvalidSecretDocument("staged tokens lack an access token or the time of issue")
        return onto.renewed(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            lifetime=None if self.expires_at is None else self.expires_at - self.issued_at,
            issued_at=self.issued_at,
            extra={name: value for name in extra_names if isinstance(value := self.fields.get(name), str | int)},
            origin=self.origin and self.origin.placed_like(onto.origin),
        )

    def serialize(self) -> SecretValue:
        """Write the JSON text to store."""
        return write_object(self.fields)


def whole_seconds(lifetime: timedelta) -> timedelta:
    """Return a lifetime as it is stored: in whole seconds, one at least."""
    return timedelta(seconds=max(1, min(lifetime, LONGEST_LIFETIME) // timedelta(seconds=1)))


def read_document(text: SecretValue, *, needs_refresh_token: bool) -> TokenDocument:
    """Parse a stored token document. An error names the field, and never its value.

    The provider says whether a document without a refresh token is complete.
    """
    return located(partial(_read_document, text, needs_refresh_token=needs_refresh_token))


def _read_document(text: SecretValue, *, needs_refresh_token: bool) -> TokenDocument:
    fields = read_object(text)
    spelling = find_spelling(fields)
    origin, refresh_token = read_origin(fields), read_token(fields, spelling.refresh_token) if spelling else None
    revoked = refresh_token is None and origin is not None and origin.revoked_at is not None
    if revoked or not needs_refresh_token:
        spelling, refresh_token = spelling or CAMEL, SecretValue("")  # A leftover one is never redeemed.
    if spelling is None or refresh_token is None:
        key = spelling.refresh_token if spelling else "refreshToken or refresh_token"
        raise InvalidSecretDocument(f"{key} is missing, null or empty")
    return TokenDocument(
        refresh_token=refresh_token,
        access_token=read_token(fields, spelling.access_token),
        expires_at=spelling.read_time(fields, spelling.expires_at),
        issued_at=spelling.read_time(fields, spelling.issued_at),
        origin=origin,
        spelling=spelling,
        fields=fields,
    )
