"""A provider that counts: it accepts each refresh token once, and revokes the grant if one comes again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from run.world import World
from testbed.builders import DAY, NOW, policy
from testbed.fakes import tokens
from testbed.secrets_manager.limits import ServiceError
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.stored.origin import ClaimStoreKind

VERSIONS, TABLE = ClaimStoreKind.VERSIONS, ClaimStoreKind.TABLE

REJECTED = FailedRequest(kind=FailureKind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
NOT_SENT = FailedRequest(kind=FailureKind.NOT_SENT, seen="ConnectError")
DEAD_GRANT: Sequence[tuple[int, Sequence[EndpointResponse]]] = (
    (0, [REJECTED]),
    (1, []),
    (2, [NOT_SENT] * 4),
    (3, []),
    (15, []),
    (17, [REJECTED]),
)
"""Hours after a refresh of tokens that live a day, and what the provider says: it is asked by force, then when due."""
LOST = FailedRequest(kind=FailureKind.NO_RESPONSE, seen="ReadTimeout")


@dataclass(slots=True)
class SingleUseGrant:
    """A token endpoint; put it in place of a world's endpoint."""

    lifetime: timedelta
    alive: bool = True
    refreshes: int = 0
    _used: set[str] = field(default_factory=set)

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        del request
        return None

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        del timeout_seconds
        token = request.fields["refresh_token"]
        self.alive = self.alive and token not in self._used
        if not self.alive:
            return REJECTED
        self._used.add(token)
        self.refreshes += 1
        return tokens(self.refreshes, lifetime=self.lifetime)


def ended(world: World, hours: float, responses: Sequence[EndpointResponse]) -> Outcome:
    """Run at that time, by force where the provider responds before the tokens are due, and give how it ended."""
    world.clock.seconds = hours * 3600.0
    world.endpoint.responses = [*responses]
    run = world.run(force=bool(responses) and hours < 16)
    try:
        return run.conclude()
    except TokenRefreshError as error:
        return run.outcome(error=error)
    finally:
        assert [] == world.endpoint.responses


def with_grant(world: World, lifetime: timedelta) -> SingleUseGrant:
    """Put a single-use provider in place of the world's endpoint."""
    world.endpoint = grant = SingleUseGrant(lifetime)  # type: ignore[assignment]
    return grant


def stored_versions(world: World) -> list[float]:
    """Return a list to which the time of each version is added that Secrets Manager stores from now on."""
    stored: list[float] = []
    call = world.model.call

    def watched(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        response = call(operation, request, now=now)
        if operation == "PutSecretValue":
            stored.append(now)
        return response

    world.model.call = watched  # type: ignore[method-assign]
    return stored


def refused_versions(world: World) -> list[str]:
    """Return a list to which the errors are added with which Secrets Manager refuses a call from now on."""
    refused: list[str] = []
    call = world.model.call

    def watched(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        try:
            return call(operation, request, now=now)
        except ServiceError as error:
            if operation == "PutSecretValue":
                refused.append(error.code)
            raise

    world.model.call = watched  # type: ignore[method-assign]
    return refused


def single_use(store: ClaimStoreKind, lifetime: timedelta) -> tuple[World, SingleUseGrant]:
    """A world whose tokens live that long, with a token set that is due."""
    world = World(
        policy=policy(grace=timedelta(0), claim_store=store), expires_at=NOW + lifetime / 4, issued_at=NOW - lifetime
    )
    return world, with_grant(world, lifetime)


def outcomes(world: World, days: int, every: timedelta) -> list[str]:
    """Run on schedule for some days."""
    found = []
    for _ in range(days * int(DAY / every)):
        found.append(world.outcome())
        world.pass_time(every)
    return found
