"""What a token response makes of a document: of what a run received, and of what a person recovered."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.response import TokenResponse
from token_refresh_worker.oauth.scopes import lost_scopes, scopes_of
from token_refresh_worker.providers.provider import SAME_END, Provider
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import Asked, Origin


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Renewal:
    """The next document of a token set."""

    provider: Provider
    """With the document's variables filled in."""
    document: TokenDocument
    """The one before."""

    def of(self, response: TokenResponse, sent_at: datetime, origin: Origin) -> TokenDocument:
        """Return the document with the tokens of a response whose request was sent then.

        `origin` says where they come from; what the response says of the grant is added.
        """
        ends_at, left = self._grant_ends_at(response, sent_at, origin), self._left_of_same(response, sent_at)
        before, known = scopes_of(self.document), self.document.origin
        scopes, lost = before if response.scopes is None else response.scopes, known.scopes_lost if known else ()
        return self.document.renewed(
            access_token=response.access_token,
            refresh_token=response.refresh_token,
            lifetime=left or self.provider.lifetime_of(response, sent_at, self.document.lifetime),
            issued_at=sent_at,
            extra=response.extra,
            origin=replace(
                origin,
                grant_ends_at=ends_at,
                grant_began_at=self._grant_began_at(ends_at, sent_at),
                scopes=scopes,
                # Until a refresh or a consent brings them back.
                scopes_lost=lost_scopes((*(before or ()), *lost), scopes),
                extra_names=self.provider.extra_names,
                lifetime=None if left is None else self.document.lifetime or self.provider.access_token_lifetime,
                asked=self._asked(left, sent_at),
            ),
        )

    def _left_of_same(self, response: TokenResponse, sent_at: datetime) -> timedelta | None:
        """Return what is left of the access token where the response brings it again; None if it brings a new life."""
        before, stated = self.document, response.lifetime_from(sent_at)
        if response.access_token != before.access_token:
            return None
        if response.is_over(sent_at):
            return timedelta(seconds=1)  # The least that is stored.
        # Of a doubted expiry the fields have what is believed in its place.
        ends_at = before.spelling.read_time(before.fields, before.spelling.expires_at)
        if ends_at is None or (stated is not None and before.lifetime is None):
            return None
        left = ends_at - sent_at.replace(microsecond=0)
        same = left > timedelta(0) and (stated is None or stated <= left + SAME_END)
        return min(left, stated or left) if same else None

    def _asked(self, left: timedelta | None, sent_at: datetime) -> Asked | None:
        """Return what was asked for in vain: of this token, and for a day of two or more in a row before it.

        A cache may have returned one token twice. The first new token that comes early ends what was learned.
        """
        before = self.document.origin.asked if self.document.origin else None
        if left is not None:
            known = [before.left] if before and before.left else []
            tokens = 1 if before is None else before.tokens + (before.left is None)
            return Asked(left=min([left, *known]), at=sent_at, tokens=tokens)
        # Who waits for the end of a token that is the grant may lose it, whatever was learned.
        is_grant = self.provider.request.grant is Grant.EXCHANGE
        if before is None or before.left is None or is_grant or sent_at >= before.at + DAY:
            return None
        expires_at = self.document.expires_at
        if expires_at is not None and expires_at - sent_at >= before.left:
            return None
        return before if before.tokens > 1 else replace(before, left=None)

    def _grant_ends_at(self, response: TokenResponse, sent_at: datetime, origin: Origin) -> datetime | None:
        """Return when the grant ends: as the response says, else by the profile, else as before.

        An end that this refresh outlived was none.
        """
        before, now = self.document.refresh_token, response.refresh_token
        known = self.document.origin.grant_ends_at if self.document.origin else None
        # A provider that returns the same token may not have moved the end of its grant.
        begins = self.provider.prolongs_grants and now is not None and now != before
        ends_at = self.provider.refresh_token.ends_at(
            sent_at, stated=response.refresh_token_ends, begins=begins, store=origin.claim_store.kind, known=known
        )
        return ends_at or (known if known and known > sent_at else None)

    def _grant_began_at(self, ends_at: datetime | None, sent_at: datetime) -> datetime | None:
        """Return when the grant with this end began, or was prolonged to it."""
        before = self.document.origin
        if ends_at is None:
            return None
        if before and before.grant_ends_at and abs(ends_at - before.grant_ends_at) <= SAME_END:
            # Within a minute, an end that each refresh moves moves no further.
            is_young = before.grant_began_at is not None and sent_at <= before.grant_began_at + 2 * SAME_END
            return sent_at.replace(microsecond=0) if is_young else before.grant_began_at
        return sent_at.replace(microsecond=0)
