"""Runs that meet a store that refuses, is down, holds something else, or never comes to rest."""

import pytest

from fakes import SECRET_ID
from token_refresh.errors import ClientRejected, SecretAccessDenied, SecretStoreUnavailable, TokensNotStored
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.versions import staged_version_id
from token_refresh_worker.oauth.response import FailedRequest, Kind
from world import FIRST_CLAIM, World, fail, killed


def test_a_permission_that_is_missing_for_the_claim_is_found_before_anything_is_redeemed() -> None:
    """A role without PutSecretValue fails at the claim: nothing was sent."""
    world = World()

    with world.at("put REFRESH_CLAIM", fail(SecretAccessDenied("no"))), pytest.raises(SecretAccessDenied):
        world.execute()
    assert [] == world.endpoint.requests


def test_a_permission_that_is_missing_for_the_promotion_loses_nothing() -> None:
    """A role without UpdateSecretVersionStage has its tokens staged, and they are current once it has it."""
    world = World()

    with world.at("move AWSCURRENT", fail(SecretAccessDenied("no"))), pytest.raises(SecretAccessDenied):
        world.execute()
    assert "recovered" == world.outcome()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_stage_is_retried_until_the_deadline(where: str) -> None:
    """Received tokens are stored as soon as the store takes them, under the same version ID and as the same value.

    Where only the replies were lost, another ID would leave a second copy, and another value would be refused.
    """
    world = World()
    first, until = world.labels()["AWSCURRENT"], 60.0

    def down(name: str) -> None:
        if name == "put REFRESH_OUTCOME" and world.clock.seconds < until:
            raise SecretStoreUnavailable("down")

    setattr(world.store, where, down)

    assert "refreshed" == world.outcome()
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))
    assert until <= world.clock.seconds < 90.0
    assert staged_version_id(FIRST_CLAIM, first) == world.labels()["AWSCURRENT"]
    secret = world.model.find(SECRET_ID)
    assert secret is not None
    assert 3 == len(secret.versions), "the first token set, the claim, the new token set"


def test_tokens_that_can_not_be_stored_are_an_error_of_their_own() -> None:
    """Where the store does not come back before the deadline, the run says that tokens were received and not stored."""
    world = World()

    def down(name: str) -> None:
        if name == "put REFRESH_OUTCOME":
            raise SecretStoreUnavailable("the store is down")

    world.store.before = down

    with pytest.raises(
        TokensNotStored, match=r"could not be saved before the deadline \(SecretStoreUnavailable: the store is down\)"
    ):
        world.execute()
    assert world.clock.seconds <= 90.0
    assert "access-0" == world.current()["accessToken"]


def test_tokens_are_never_stored_over_something_else() -> None:
    """Where the derived version is taken by another value, the run says so, and overwrites nothing."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue("theirs"), label="SQUATTER")

    with pytest.raises(TokensNotStored, match="is taken by another value"):
        world.execute()
    assert "access-0" == world.current()["accessToken"]


def test_a_record_that_can_not_be_stored_hides_no_failure() -> None:
    """Where even the record can't be stored, the failure itself is what is raised."""
    world = World()
    world.endpoint.responses = [FailedRequest(kind=Kind.CLIENT_REJECTED, seen="HTTP 401")]

    with world.at("put REFRESH_OUTCOME", fail(SecretStoreUnavailable("down"))), pytest.raises(ClientRejected):
        world.execute()
    assert "record_not_stored" in world.log.events


def test_a_state_that_never_comes_to_rest_ends_all_the_same() -> None:
    """Something that keeps interfering can't keep a run busy without end."""
    world = World()
    killed(world, "move AWSCURRENT")

    def meddle(name: str) -> None:
        if name == "move AWSCURRENT":
            world.save(note=len(world.store.calls))

    world.store.before = meddle

    with pytest.raises(SecretStoreUnavailable, match="did not come to rest within 50 steps"):
        world.execute(time_left_seconds=10_000.0)
    assert 1 == len(world.endpoint.requests)
