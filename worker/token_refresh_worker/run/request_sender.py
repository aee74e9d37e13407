"""Send one refresh request, as often as it may be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.parts import LEAST_REQUEST_SECONDS
from token_refresh_worker.run.ports import Deadline, Log
from token_refresh_worker.run.requests import PreparedRefresh
from token_refresh_worker.run.retry import repeat

REQUESTS: Final = 4
"""How many token requests a run sends at most."""


class TimeOver(Exception):  # noqa: N818 - it never leaves the redemption
    """Too little time was left for the first request."""


@dataclass(slots=True, kw_only=True)
class RequestSender:
    """One refresh request and its repeats."""

    prepared: PreparedRefresh
    replay_allowed: Callable[[datetime], bool]
    """Whether the provider still accepts the refresh token, if it may have been redeemed before."""
    timeout_seconds: float
    """One request, end to end."""
    deadline: Deadline
    reserve_seconds: float
    """Kept back, so that new tokens can be stored."""
    memory: Memory
    log: Log
    sent_at: datetime = datetime.min  # noqa: DTZ901 - replaced at the first request
    unsure: bool = False
    """Whether a request may have redeemed the refresh token, and no response says so."""
    _failure: FailedRequest | None = None
    _stopped: bool = False

    def send(self) -> EndpointResponse:
        """Send until there is a response that can't be repeated, or no more time.

        Raises:
            TimeOver: Nothing was sent.
        """
        response = self._repeated(self.prepared.request)
        rejected = isinstance(response, FailedRequest) and response.kind is FailureKind.CLIENT_REJECTED
        other = self.prepared.with_previous_client() if rejected else None
        return response if other is None else self._send(other)

    def _repeated(self, request: TokenRequest) -> EndpointResponse:
        return repeat(
            lambda: self._send(request),
            clock=self.deadline.clock,
            until=self.deadline.at - self._needed_seconds,
            results=self._may_repeat,
            limit=REQUESTS,
            first_wait_seconds=0.5,
            asked_seconds=_asked_seconds,
        )

    def _send(self, request: TokenRequest) -> EndpointResponse:
        # The machine may have been suspended since the last look at the clock.
        left_seconds = self.deadline.remaining_seconds
        if left_seconds < self._needed_seconds or not self._replay_allowed():
            self._stopped = True
            if self._failure is None:
                raise TimeOver
            return self._failure
        self.sent_at = self.memory.service_now()
        self.memory.requests_sent += 1
        timeout_seconds = min(self.timeout_seconds, left_seconds - self.reserve_seconds)
        response = self.prepared.endpoint.send(request, timeout_seconds=timeout_seconds)
        if isinstance(response, FailedRequest):
            self._failure = response
            self.unsure = self.unsure or response.kind.may_have_redeemed
            self.log.warning("token_request_failed", kind=response.kind.name.lower(), seen=response.seen)
        return response

    @property
    def _needed_seconds(self) -> float:
        return LEAST_REQUEST_SECONDS + self.reserve_seconds

    def _may_repeat(self, response: EndpointResponse) -> bool:
        if isinstance(response, TokenResponse) or self._stopped:
            return False
        transient = response.kind.may_have_redeemed or response.kind in {FailureKind.NOT_SENT, FailureKind.BUSY}
        return transient and self._replay_allowed()

    def _replay_allowed(self) -> bool:
        return not self.unsure or self.replay_allowed(self.memory.service_now())


def _asked_seconds(response: EndpointResponse) -> float:
    """Give how long the endpoint asked us to wait."""
    return response.retry_after.total_seconds() if isinstance(response, FailedRequest) and response.retry_after else 0.0
