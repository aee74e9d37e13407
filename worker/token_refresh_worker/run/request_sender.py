"""The request that refreshes a token document as its provider wants it, sent as often as it may be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import DAY
from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.events import REQUESTS
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import Parts, TokenEndpoint
from token_refresh_worker.run.retry import repeat
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument

_SAME_END: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PreparedRefresh:
    """Everything that a refresh of one document needs, checked before anything is claimed."""

    provider: Provider
    """With the document's variables filled in."""
    document: TokenDocument
    client: ClientCredentials
    request: TokenRequest
    endpoint: TokenEndpoint

    def lifetime(self, response: TokenResponse, sent_at: datetime) -> timedelta | None:
        """Return how long the new access token lives, counted from when the request was sent."""
        return self.provider.lifetime_of(response, sent_at, self.document.lifetime)

    def left_of_same(self, response: TokenResponse, sent_at: datetime) -> timedelta | None:
        """Return what is left of the access token where the response brings it again; None if it brings a new life."""
        before, stated = self.document, response.lifetime_from(sent_at)
        if response.access_token != before.access_token or before.expires_at is None or before.lifetime is None:
            return None
        left = before.expires_at - sent_at.replace(microsecond=0)
        same = left > timedelta(0) and (stated is None or stated <= left + _SAME_END)
        return min(left, stated or left) if same else None

    def asked(self, left: timedelta | None, sent_at: datetime) -> tuple[timedelta | None, datetime | None]:
        """Return what was left when it was asked for in vain, and when: of this token, or for a day of earlier ones."""
        origin = self.document.origin
        before, asked_at = (origin.asked_left, origin.asked_at) if origin else (None, None)
        if before and asked_at and sent_at < asked_at + DAY and (left is None or before <= left):
            return before, asked_at
        return left, sent_at if left else None

    def grant_ends_at(self, response: TokenResponse, sent_at: datetime) -> datetime | None:
        """Return when the grant ends: as the response says, else by the profile, else as before."""
        before, now = self.document.refresh_token, response.refresh_token
        # A provider that returns the same token may not have moved the end of its grant.
        begins = self.provider.prolongs_grants and now is not None and now != before
        ends_at = self.provider.refresh_token.ends_at(sent_at, stated=response.refresh_token_ends, begins=begins)
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
    try:
        client = parts.credentials(document)
    except (ConfigurationError, InvalidSecretDocument) as wrong:
        wrong.fix = wrong.fix or ("Store them, which takes no consent: ", parts.secret.command("client"))
        raise
    return PreparedRefresh(
        provider=filled,
        document=document,
        client=client,
        request=_request(filled, document, client),
        # Made here, before the claim: a wrong proxy variable must not cost an attempt.
        endpoint=parts.endpoint(filled),
    )


def _request(provider: Provider, document: TokenDocument, client: ClientCredentials) -> TokenRequest:
    return refresh_request(document.redeemed_token, client, provider.request, endpoint=provider.token_endpoint)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class RequestSender:
    """One refresh request and its repeats."""

    parts: Parts
    memory: Memory
    prepared: PreparedRefresh
    replay_allowed: Callable[[datetime], bool]
    """Whether the provider still accepts the refresh token, if it may have been redeemed before."""
    timeout_seconds: float
    """One request, end to end."""
    keep: Callable[[SecretValue, bool], None]
    """Keeps a response that can't be read, before anything else happens; and whether the request may be repeated."""
    sent_at: datetime = datetime.min  # noqa: DTZ901 - replaced at the first request
    unsure: bool = False
    """Whether a request may have redeemed the refresh token, and no response says so."""
    _failure: FailedRequest | None = None

    def send(self) -> EndpointResponse | None:
        """Send until there is a response that can't be repeated, or no more time; None if nothing was sent."""
        parts, prepared = self.parts, self.prepared
        response = repeat(
            lambda: self._send(prepared.request),
            clock=parts.deadline.clock,
            until=parts.deadline.at - parts.needed_seconds,
            results=self._may_repeat,
            limit=REQUESTS,
            first_wait_seconds=0.5,
            asked_seconds=_asked_seconds,
        )
        rejected = isinstance(response, FailedRequest) and response.kind is FailureKind.CLIENT_REJECTED
        # While a client secret is rotated, the provider may still want the previous one.
        previous = parts.previous_credentials(prepared.client) if rejected else None
        return response if previous is None else self._send(_request(prepared.provider, prepared.document, previous))

    def _send(self, request: TokenRequest) -> EndpointResponse | None:
        # The machine may have been suspended since the last look at the clock.
        left_seconds = self.parts.deadline.remaining_seconds
        if left_seconds < self.parts.needed_seconds or not self._replay_allowed():
            return self._failure
        self.sent_at = self.memory.service_now()
        self.memory.requests_sent += 1
        timeout_seconds = min(self.timeout_seconds, left_seconds - self.parts.reserve_seconds)
        response = self.prepared.endpoint.send(request, timeout_seconds=timeout_seconds)
        if isinstance(response, FailedRequest):
            self._failure = response
            self.unsure = self.unsure or response.kind.may_have_redeemed
            if response.unread is not None:
                self.keep(response.unread, self._replay_allowed())
            self.parts.log.warning("token_request_failed", kind=response.kind.name.lower(), seen=response.seen)
        return response

    def _may_repeat(self, response: EndpointResponse | None) -> bool:
        if not isinstance(response, FailedRequest):
            return False
        transient = response.kind.may_have_redeemed or response.kind in {FailureKind.NOT_SENT, FailureKind.BUSY}
        # A host that says that it is busy is there, and asked once more: it may refuse one request in ten for hours.
        most_refused = self.parts.most_refused + (response.kind is FailureKind.BUSY)
        most = self.parts.most_requests if self.unsure else most_refused
        return transient and self.memory.requests_sent < most and self._replay_allowed()

    def _replay_allowed(self) -> bool:
        return not self.unsure or self.replay_allowed(self.memory.service_now())


def _asked_seconds(response: EndpointResponse | None) -> float:
    """Give how long the endpoint asked us to wait."""
    return response.retry_after.total_seconds() if isinstance(response, FailedRequest) and response.retry_after else 0.0
