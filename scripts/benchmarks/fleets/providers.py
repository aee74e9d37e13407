"""Providers on the virtual clock: single-use refresh tokens, latency as measured, hanging and limiting on request."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from benchmarks.fleets.account import Bucket
from benchmarks.fleets.clock import VirtualClock
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse

MEDIAN_SECONDS = 0.4
SPREAD = 0.5
"""Of the lognormal distribution: one in a hundred responses takes 1.3 s."""

LIFETIME = timedelta(hours=1)


@dataclass(slots=True)
class VirtualProvider:
    """Redeems each refresh token once, and counts each that is sent again."""

    clock: VirtualClock
    name: str
    chance: random.Random
    hangs: tuple[float, float] = (0.0, 0.0)
    """Seconds from and to which no request gets a response, and none is redeemed."""
    limit: Bucket | None = None
    generations: dict[str, int] = field(default_factory=dict)
    """How many refresh tokens each secret's grant has had."""
    redeemed: Counter[str] = field(default_factory=Counter)
    limited: int = 0

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        """Respond; implements the port `TokenEndpoint`."""
        begins, ends = self.hangs
        if begins <= self.clock.seconds < ends:
            self.clock.sleep(timeout_seconds)
            return FailedRequest(kind=FailureKind.NO_RESPONSE, seen="no response")
        self.clock.sleep(self.chance.lognormvariate(0, SPREAD) * MEDIAN_SECONDS)
        if self.limit is not None and not self.limit.take():
            self.limited += 1
            return FailedRequest(kind=FailureKind.BUSY, seen="status 429")
        token = request.fields["refresh_token"]
        grant, generation = token.split("|")
        self.redeemed[token] += 1
        if int(generation) != self.generations.get(grant, 0):
            return FailedRequest(kind=FailureKind.GRANT_REJECTED, seen="invalid_grant", error="invalid_grant")
        self.generations[grant] = int(generation) + 1
        return TokenResponse(
            access_token=SecretValue(f"access-{generation}"),
            refresh_token=SecretValue(f"{grant}|{int(generation) + 1}"),
            lifetime=LIFETIME,
        )
