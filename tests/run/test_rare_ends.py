"""Ends that a run meets rarely: a lost table, a claim that can't be read yet, tokens that don't fit, other settings."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, IN_TABLE, MINUTE, NOW, policy
from fakes import tokens
from testbed.secrets_manager.limits import ServiceError
from token_refresh.errors import (
    ConfigurationError,
    InvalidTokenResponse,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
)
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.response import FailedRequest, Kind, TokenResponse
from token_refresh_worker.stored.origin import ClaimStoreKind
from world import FIRST_CLAIM, World, fail, killed

TABLE = ClaimStoreKind.TABLE


def lose_table(world: World) -> None:
    assert world.table is not None
    world.table.item = {}


def test_a_lost_table_is_waited_for_and_then_used_again() -> None:
    """Runs under way may hold a lost claim: nothing is sent before that would have ended, and then refreshes go on."""
    world = World(policy=IN_TABLE)
    assert "refreshed" == world.outcome()
    lose_table(world)
    world.pass_time(DAY)

    assert "yielded" == world.outcome()
    world.pass_time(2 * MINUTE)
    assert "refreshed" == world.outcome()
    assert "claim_table_lost" in world.log.events
    assert 2 == len(world.endpoint.requests)


def test_tokens_that_were_stored_under_a_lost_claim_are_found() -> None:
    """The claims that the lost table may have held are known by their IDs, and so are the tokens under them."""
    world = World(policy=policy(grace=timedelta(0), claim_store=TABLE))
    world.execute()
    world.pass_time(DAY * 3 / 4)
    killed(world, "move AWSCURRENT")
    lose_table(world)

    assert "recovered" == world.outcome()
    assert 2 == len(world.endpoint.requests)


def test_a_lost_table_frees_no_open_claim() -> None:
    """A run that holds a lost claim may be redeeming: its token is held until the last quarter, or its tokens come."""
    world = World(policy=policy(grace=timedelta(0), claim_store=TABLE))
    world.execute()
    world.pass_time(DAY * 3 / 4)
    killed(world, "put REFRESH_OUTCOME")
    lose_table(world)

    assert "yielded" == world.outcome()
    world.pass_time(3 * MINUTE)
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_a_run_yields_to_a_claim_that_it_can_not_read_yet() -> None:
    """The claim's ID is taken, and a stale read shows nothing there: another run is redeeming."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    call = world.model.call

    def hidden(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        if operation == "GetSecretValue" and request.get("VersionId") == FIRST_CLAIM:
            raise ServiceError("ResourceNotFoundException", "not yet")
        if operation == "GetSecretValue" and request.get("VersionStage") == "REFRESH_CLAIM":
            raise ServiceError("ResourceNotFoundException", "not yet")
        return call(operation, request, now=now)

    world.model.call = hidden  # type: ignore[method-assign]

    ended = world.execute()

    assert ("yielded", NOW + timedelta(seconds=30)) == (ended.name, ended.retry_at)
    assert 1 == len(world.endpoint.requests)


def test_a_response_that_does_not_fit_is_recorded_and_named() -> None:
    """Secrets Manager takes 64 KiB: the error says so, with the command for a new grant, and nothing is replayed."""
    world = World(policy=policy(grace=timedelta(0)), other="x" * 48_000, expires_at=NOW + 7 * HOUR)
    response = tokens()
    large = TokenResponse(
        access_token=SecretValue("a" * 20_000), refresh_token=response.refresh_token, lifetime=response.lifetime
    )
    world.endpoint.responses = [large]

    with pytest.raises(InvalidTokenResponse, match=r"`token-refresh authorize tokens --region eu-central-1`"):
        world.execute()
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_a_promotion_that_stale_reads_ask_for_again_ends_the_run() -> None:
    """The label has moved, and the read doesn't show it yet: the run yields for as long as reads may be stale."""
    world = World()
    killed(world, "move AWSCURRENT")
    old, call = world.model.snapshot(), world.model.call
    stale = type(world.model)()
    stale.restore(old)
    world.save(refreshToken="other", expires_at=NOW + DAY)

    def respond(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        is_stale = operation == "GetSecretValue" and request.get("VersionStage") == CURRENT
        return (stale.call if is_stale else call)(operation, request, now=now)

    world.model.call = respond  # type: ignore[method-assign]

    before = len(world.store.calls)
    ended = world.execute()

    assert ("yielded", NOW + timedelta(seconds=30)) == (ended.name, ended.retry_at)
    assert 1 == world.store.calls[before:].count("move AWSCURRENT")


@pytest.mark.parametrize(("first", "then"), [(policy(), IN_TABLE), (IN_TABLE, policy())])
def test_another_claim_store_is_refused_with_the_command_that_moves(first: Any, then: Any) -> None:
    """Two deployments with different claim stores would not see each other's claims."""
    world = World(policy=first)
    world.execute()
    other = World(policy=then)
    other.model = world.model
    other.store.model = world.model

    command = rf"`token-refresh claims move tokens .* --to {then.claim_store.value} "
    with pytest.raises(ConfigurationError, match=command):
        other.execute()
    assert [] == other.endpoint.requests


def test_a_table_that_is_gone_hides_no_dead_grant() -> None:
    """What the provider said is raised, also where it can't be recorded because somebody deleted the table."""
    world = World(policy=IN_TABLE)
    world.endpoint.responses = [FailedRequest(kind=Kind.GRANT_REJECTED, seen="HTTP 400", error="invalid_grant")]

    with world.at("record", fail(ConfigurationError("no table"))), pytest.raises(ReauthorizationRequired):
        world.execute()
