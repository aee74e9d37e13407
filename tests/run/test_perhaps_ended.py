"""A server refuses a dead grant in its own words, not with `invalid_grant`."""

import pytest

from run.world import World
from testbed.builders import HOUR, NOW, policy
from testbed.fakes import SECRET_ID, tokens
from token_refresh.errors import ReauthorizationRequired, TokenRefreshError
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.run.run import Run
from token_refresh_worker.stored.origin import ClaimStoreKind

STORES = pytest.mark.parametrize("store", list(ClaimStoreKind))
INVALID_REQUEST = FailedRequest(
    kind=FailureKind.REQUEST_REJECTED, seen="HTTP 400 with invalid_request", error="invalid_request"
)
NO_CODE = FailedRequest(kind=FailureKind.UNEXPECTED, seen="HTTP 403 without an RFC 6749 error code")
NOT_SENT = FailedRequest(kind=FailureKind.NOT_SENT, seen="ConnectError")


def refreshed_world(store: ClaimStoreKind) -> World:
    """Return a world whose tokens a refresh brought, and are due again."""
    world = World(policy=policy(claim_store=store), expires_at=NOW + HOUR)
    world.endpoint.responses.append(tokens(1))
    assert world.outcome() == "refreshed"
    world.clock.seconds += 20 * 3600
    return world


def attempt(world: World, *responses: FailedRequest) -> tuple[Run, TokenRefreshError]:
    """Let a run fail with these responses, an hour after the one before."""
    world.clock.seconds += 3600
    world.endpoint.responses[:] = responses
    run = world.run(force=True)
    with pytest.raises(TokenRefreshError) as raised:
        run.execute()
    return run, raised.value


@STORES
@pytest.mark.parametrize("refusal", [INVALID_REQUEST, NO_CODE])
def test_a_grant_that_worked_has_perhaps_ended_after_three_refusals(
    store: ClaimStoreKind, refusal: FailedRequest
) -> None:
    """The third names the command that gets a new grant, beside the settings to check; it is announced once."""
    world = refreshed_world(store)

    failures = [attempt(world, refusal) for _ in range(4)]

    ended = [isinstance(error, ReauthorizationRequired) for _, error in failures]
    assert ended == [False, False, True, True]
    announced = [bool(run.memory.rejected) for run, _ in failures]
    assert announced == [False, False, True, False]
    error = failures[2][1]
    assert error.facts.startswith(
        f"the last 3 attempts to refresh secret {SECRET_ID} in eu-central-1 brought no tokens"
    )
    assert refusal.seen in error.facts
    assert f"token-refresh authorize {SECRET_ID}" in str(error)
    assert "TOKEN_ENDPOINT" in str(error)


@STORES
def test_refusals_of_an_earlier_token_do_not_count(store: ClaimStoreKind) -> None:
    """The grant still worked after them."""
    world = refreshed_world(store)
    attempt(world, INVALID_REQUEST)
    attempt(world, INVALID_REQUEST)
    world.endpoint.responses[:] = [tokens(2)]
    assert world.outcome(force=True) == "refreshed"

    _, error = attempt(world, INVALID_REQUEST)

    assert not isinstance(error, ReauthorizationRequired)


@STORES
def test_a_host_that_is_away_ends_no_grant(store: ClaimStoreKind) -> None:
    """No refusal arrives, so nothing is said of the grant."""
    world = refreshed_world(store)

    failures = [attempt(world, *[NOT_SENT] * 9) for _ in range(4)]

    assert not any(isinstance(error, ReauthorizationRequired) for _, error in failures)


@STORES
def test_a_request_that_may_have_arrived_says_more_than_a_refusal(store: ClaimStoreKind) -> None:
    """Its outcome is unknown: that comes first, and the count begins again."""
    world = refreshed_world(store)
    attempt(world, INVALID_REQUEST)
    attempt(world, INVALID_REQUEST)
    lost = FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200 with a body that is not a JSON object")

    _, error = attempt(world, lost, INVALID_REQUEST)

    assert not isinstance(error, ReauthorizationRequired)


@STORES
def test_a_set_that_no_refresh_brought_may_have_wrong_settings(store: ClaimStoreKind) -> None:
    """Nobody knows whether they ever worked: the settings come first."""
    world = World(policy=policy(claim_store=store), expires_at=NOW + HOUR)

    failures = [attempt(world, INVALID_REQUEST) for _ in range(4)]

    assert not any(isinstance(error, ReauthorizationRequired) for _, error in failures)
