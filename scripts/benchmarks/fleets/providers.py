"""Providers on the virtual clock: single-use refresh tokens, latency as measured, and faults on request."""

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from benchmarks.fleets.account import Bucket, SlidingLog
from testbed.virtual_clock import VirtualClock
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse

MEDIAN_SECONDS = 0.4
SPREAD = 0.5
"""Of the lognormal distribution: one in a hundred responses takes 1.3 s."""

REFUSAL_SECONDS = 0.1
LIFETIME = timedelta(hours=1)
REJECTED = FailedRequest(kind=FailureKind.GRANT_REJECTED, seen="invalid_grant", error="invalid_grant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one host of a provider, or with all of them, for a while."""

    begins: float
    ends: float
    kind: Literal["refuses", "hangs", "redeems", "rejects"] = "hangs"
    """`redeems`: it hangs after it redeemed the token, so that the response is lost. `rejects`: `invalid_grant`."""
    seconds: float = math.inf
    """How long it lets a request hang."""
    share: float = 1.0
    """Of the hosts."""
    requests: float = 1.0
    """Which share of the requests it meets, at random."""

    def hits(self, host: int, hosts: int, seconds: float) -> bool:
        """Whether a request at this moment meets it."""
        return self.begins <= seconds < self.ends and host < self.share * hosts


@dataclass(slots=True)
class VirtualProvider:
    """Redeems each refresh token once, and counts each that is sent again."""

    clock: VirtualClock
    name: str
    chance: random.Random
    hosts: int = 1
    """How many token hosts its tenants share."""
    median_seconds: float = MEDIAN_SECONDS
    faults: list[Fault] = field(default_factory=list)
    limit: Bucket | SlidingLog | None = None
    others_seconds: tuple[float, float] = (0.0, 0.0)
    """Seconds of each minute from and to which other traffic uses up the limit."""
    retry_after: timedelta | None = None
    """What it says with a 429."""
    busy_share: float = 0.0
    """How many requests it refuses at random."""
    revoked: set[str] = field(default_factory=set)
    """Grants that their customers took back."""
    too_many: set[str] = field(default_factory=set)
    """Grants whose customers have used up a limit of their own."""
    gateway_share: float = 0.0
    """How many requests a gateway before it refuses at random, none of which it forwards."""
    gateway_says: FailureKind = FailureKind.NO_RESPONSE
    """By default a plain 503, of which nobody can know whether it was forwarded."""
    generations: dict[str, int] = field(default_factory=dict)
    """How many refresh tokens each secret's grant has had."""
    redeemed: Counter[str] = field(default_factory=Counter)
    limited: int = 0
    requests: Counter[int] = field(default_factory=Counter)
    """How many came in each minute."""
    failed: dict[int, list[float]] = field(default_factory=dict)
    """When each host got requests while something was wrong with it."""

    def at(self, host: int) -> "VirtualHost":
        """Open one of its token endpoints."""
        return VirtualHost(self, host)

    def respond(self, host: int, request: TokenRequest, timeout_seconds: float) -> EndpointResponse:
        """Respond to one request."""
        self.requests[int(self.clock.seconds) // 60] += 1
        for fault in self.faults:
            if fault.hits(host, self.hosts, self.clock.seconds) and self.chance.random() < fault.requests:
                self.failed.setdefault(host, []).append(self.clock.seconds)
                if fault.kind == "refuses":
                    self.clock.sleep(REFUSAL_SECONDS)
                    return FailedRequest(kind=FailureKind.NOT_SENT, seen="connection refused")
                if fault.kind == "rejects":
                    self.clock.sleep(REFUSAL_SECONDS)
                    return REJECTED
                if fault.kind == "redeems":
                    self._redeem(request)
                self.clock.sleep(min(timeout_seconds, fault.seconds))
                return FailedRequest(kind=FailureKind.NO_RESPONSE, seen="no response")
        self.clock.sleep(self.chance.lognormvariate(0, SPREAD) * self.median_seconds)
        busy = self.busy_share > 0 and self.chance.random() < self.busy_share
        begins, ends = self.others_seconds
        busy = busy or begins <= self.clock.seconds % 60 < ends
        busy = busy or request.fields["refresh_token"].partition("|")[0] in self.too_many
        if busy or (self.limit is not None and not self.limit.take()):
            self.limited += 1
            return FailedRequest(kind=FailureKind.BUSY, seen="status 429", retry_after=self.retry_after)
        if self.gateway_share > 0 and self.chance.random() < self.gateway_share:
            return FailedRequest(kind=self.gateway_says, seen="status 503")
        return self._redeem(request)

    def _redeem(self, request: TokenRequest) -> EndpointResponse:
        token = request.fields["refresh_token"]
        grant, generation = token.split("|")
        if grant in self.revoked:
            return REJECTED
        self.redeemed[token] += 1
        if int(generation) != self.generations.get(grant, 0):
            return REJECTED
        self.generations[grant] = int(generation) + 1
        return TokenResponse(
            access_token=SecretValue(f"access-{generation}"),
            refresh_token=SecretValue(f"{grant}|{int(generation) + 1}"),
            lifetime=LIFETIME,
        )


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """One token endpoint; implements the port `TokenEndpoint`."""

    provider: VirtualProvider
    host: int

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        """Need no signature."""
        del request
        return None

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        """Respond."""
        return self.provider.respond(self.host, request, timeout_seconds)
