"""Send one refresh request, as often as it may be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.parts import Parts
from token_refresh_worker.run.requests import PreparedRefresh, build_request
from token_refresh_worker.run.retry import repeat

REQUESTS: Final = 4
"""How many token requests a run sends at most."""


@dataclass(slots=True, kw_only=True)
class RequestSender:
    """One refresh request and its repeats."""

    parts: Parts
    memory: Memory
    prepared: PreparedRefresh
    replay_allowed: Callable[[datetime], bool]
    """Whether the provider still accepts the refresh token, if it may have been redeemed before."""
    timeout_seconds: float
    """One request, end to end."""
    sent_at: datetime = datetime.min  # noqa: DTZ901 - replaced at the first request
    unsure: bool = False
    """Whether a request may have redeemed the refresh token, and no response says so."""
    _failure: FailedRequest | None = None
    _stopped: bool = False

    def send(self) -> EndpointResponse | None:
        """Send until there is a response that can't be repeated, or no more time; None if nothing was sent."""
        response = self._repeated(self.prepared.request)
        rejected = isinstance(response, FailedRequest) and response.kind is FailureKind.CLIENT_REJECTED
        # While a client secret is rotated, the provider may still want the previous one.
        previous = self.parts.previous_credentials(self.prepared.client) if rejected else None
        if previous is None:
            return response
        return self._send(build_request(self.prepared.provider, self.prepared.document, previous))

    def _repeated(self, request: TokenRequest) -> EndpointResponse | None:
        return repeat(
            lambda: self._send(request),
            clock=self.parts.clock,
            until=self.parts.deadline.at - self.parts.needed_seconds,
            results=self._may_repeat,
            limit=REQUESTS,
            first_wait_seconds=0.5,
            asked_seconds=_asked_seconds,
        )

    def _send(self, request: TokenRequest) -> EndpointResponse | None:
        # The machine may have been suspended since the last look at the clock.
        left_seconds = self.parts.deadline.remaining_seconds
        if left_seconds < self.parts.needed_seconds or not self._replay_allowed():
            self._stopped = True
            return self._failure
        self.sent_at = self.memory.service_now()
        self.memory.requests_sent += 1
        timeout_seconds = min(self.timeout_seconds, left_seconds - self.parts.reserve_seconds)
        response = self.prepared.endpoint.send(request, timeout_seconds=timeout_seconds)
        if isinstance(response, FailedRequest):
            self._failure = response
            self.unsure = self.unsure or response.kind.may_have_redeemed
            self.parts.log.warning("token_request_failed", kind=response.kind.name.lower(), seen=response.seen)
        return response

    def _may_repeat(self, response: EndpointResponse | None) -> bool:
        if not isinstance(response, FailedRequest) or self._stopped:
            return False
        transient = response.kind.may_have_redeemed or response.kind in {FailureKind.NOT_SENT, FailureKind.BUSY}
        return transient and self._replay_allowed()

    def _replay_allowed(self) -> bool:
        return not self.unsure or self.replay_allowed(self.memory.service_now())


def _asked_seconds(response: EndpointResponse | None) -> float:
    """Give how long the endpoint asked us to wait."""
    return response.retry_after.total_seconds() if isinstance(response, FailedRequest) and response.retry_after else 0.0
