"""The request that refreshes a token document as its provider wants it, sent as often as it may be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import RunDependencies, TokenEndpoint
from token_refresh_worker.run.retry import repeat
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument

REQUESTS: Final = 4
"""How many token requests a run sends at most."""

SOON_SECONDS: Final = 2.0
"""A run of a fleet that waits longer for a busy host holds up others; its secret comes back later."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PreparedRefresh:
    """Everything that a refresh of one document needs, checked before anything is claimed."""

    provider: Provider
    """With the document's variables filled in."""
    document: TokenDocument
    client: ClientCredentials
    request: TokenRequest
    endpoint: TokenEndpoint


def prepare_refresh(document: TokenDocument, parts: RunDependencies) -> PreparedRefresh:
    """Build the request for `document`; whatever it lacks is an error here, before anything is claimed."""
    filled = parts.provider.for_document(document.fields)
    if filled.request.grant is Grant.EXCHANGE and not document.access_token:
        raise ConfigurationError(
            f"{parts.secret} has no {document.spelling.access_token}, which {filled.title} exchanges for a new one. "
            "Store an access token that lives for weeks"
        )
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

    parts: RunDependencies
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
        if self.unsure:
            most = 1 if self.parts.trigger.once else REQUESTS
        else:
            # In a fleet the dispatcher repeats, since it knows what others met. But a host that says that it is busy is
            # there, and asked once more: it may refuse one request in ten for hours.
            soon = response.kind is FailureKind.BUSY and _asked_seconds(response) <= SOON_SECONDS
            most = (1 if self.parts.trigger.name == "fleet" else REQUESTS) + soon
        return transient and self.memory.requests_sent < most and self._replay_allowed()

    def _replay_allowed(self) -> bool:
        return not self.unsure or self.replay_allowed(self.memory.service_now())


def _asked_seconds(response: EndpointResponse | None) -> float:
    """Return how long the endpoint asked us to wait."""
    return response.retry_after.total_seconds() if isinstance(response, FailedRequest) and response.retry_after else 0.0
