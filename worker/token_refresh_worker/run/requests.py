"""The requests that refresh a token document, as its provider wants them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import TokenResponse
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.parts import Parts
from token_refresh_worker.run.ports import TokenEndpoint
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument

_SAME_END: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRefresh:
    """Everything that a refresh of one document needs, checked before anything is claimed."""

    provider: Provider
    """With the document's variables filled in."""
    document: TokenDocument
    client: ClientCredentials
    request: TokenRequest
    endpoint: TokenEndpoint

    def lifetime(self, response: TokenResponse, sent_at: datetime) -> timedelta | None:
        """Return how long the new access token lives: as the response says, else as before, else by the profile."""
        return response.lifetime_from(sent_at) or self.document.lifetime or self.provider.access_token_lifetime

    def grant_ends_at(self, response: TokenResponse, sent_at: datetime) -> datetime | None:
        """Return when the grant ends: as the response says, else by the profile, else as before."""
        before, now = self.document.refresh_token, response.refresh_token
        # A provider that returns the same token may not have moved the end of its grant.
        begins = self.provider.prolongs_grants and now is not None and now != before
        ends_at = self.provider.refresh_token.ends_at(sent_at, stated=response.refresh_token_lifetime, begins=begins)
        return ends_at or (self.document.origin.grant_ends_at if self.document.origin else None)

    def grant_began_at(self, ends_at: datetime | None, sent_at: datetime) -> datetime | None:
        """Return when the grant with this end began, or was prolonged to it."""
        before = self.document.origin
        if ends_at is None:
            return None
        # LinkedIn states what is left, in whole seconds, so the same end moves a little.
        if before and before.grant_ends_at and ends_at <= before.grant_ends_at + _SAME_END:
            return before.grant_began_at
        return sent_at.replace(microsecond=0)


def prepare_refresh(document: TokenDocument, parts: Parts) -> PreparedRefresh:
    """Build the request for `document`.

    Raises:
        ConfigurationError: The document is another provider's, a variable is missing or not allowed, there is no
            client secret where the method needs one, or the environment names a proxy that can't be used.
        TokenRefreshError: The client credentials can't be read.
    """
    filled = parts.provider.for_document(document.fields)
    client = parts.credentials(document)
    return PreparedRefresh(
        provider=filled,
        document=document,
        client=client,
        request=build_request(filled, document, client),
        # Made here, before the claim: a wrong proxy variable must not cost an attempt.
        endpoint=parts.endpoint(filled),
    )


def build_request(provider: Provider, document: TokenDocument, client: ClientCredentials) -> TokenRequest:
    """Build the request with these client credentials."""
    return refresh_request(document.redeemed_token, client, provider.request, endpoint=provider.token_endpoint)
