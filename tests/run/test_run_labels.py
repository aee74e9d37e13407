"""Labels that are not where a run expects them, or can't be moved."""

import pytest

from builders import MINUTE
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.versions import CLAIM, claim_version_id
from world import FIRST_CLAIM, World, killed


def test_a_version_that_was_redeemed_and_made_current_again_is_followed_by_its_successor() -> None:
    """If a person moves AWSCURRENT back to a redeemed version, the next run brings back the tokens that replaced it."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.execute()
    second = world.labels()["AWSCURRENT"]
    world.store.move_label("AWSCURRENT", to=first, remove_from=second)

    assert "recovered" == world.outcome()
    assert (second, 1) == (world.labels()["AWSCURRENT"], len(world.endpoint.requests))


@pytest.mark.parametrize("moved_to", [None, FIRST_CLAIM])
def test_a_claim_label_that_someone_moved_hides_no_open_claim(moved_to: str | None) -> None:
    """A claim that is found by its derived ID, although its label is not on it, holds others off all the same."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)
    world.pass_time(2 * MINUTE)
    killed(world, "put REFRESH_OUTCOME")
    second = claim_version_id(FIRST_CLAIM)
    world.store.move_label(CLAIM, to=moved_to, remove_from=second)

    assert "yielded" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_pending_label_is_left_alone() -> None:
    """AWSPENDING belongs to somebody else: it is neither promoted nor moved."""
    world = World()
    theirs = "0" * 32
    world.store.put(theirs, SecretValue('{"refreshToken": "theirs"}'), label="AWSPENDING")

    assert "refreshed" == world.outcome()
    assert theirs == world.labels()["AWSPENDING"]
