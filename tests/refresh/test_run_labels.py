"""Labels that are not where a run expects them, or can't be moved."""

import pytest

from builders import MINUTE
from token_refresh.core.versions import CLAIM, PENDING, claim_version_id
from token_refresh.errors import SecretStoreUnavailable
from token_refresh.secret_value import SecretValue
from world import FIRST_CLAIM, World, fail, killed


def test_a_version_that_was_redeemed_and_made_current_again_is_followed_by_its_successor() -> None:
    """AWSCURRENT moved back by hand to a redeemed version leads back to the tokens that replaced it."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.execute()
    second = world.labels()["AWSCURRENT"]
    world.store.move_label("AWSCURRENT", to=first, remove_from=second)

    assert "recovered" == world.outcome()
    assert (second, 1) == (world.labels()["AWSCURRENT"], len(world.endpoint.requests))


@pytest.mark.parametrize("moved_to", [None, FIRST_CLAIM])
def test_a_claim_label_that_someone_moved_is_put_back(moved_to: str | None) -> None:
    """A claim that is found by its derived ID although its label is elsewhere holds others off all the same."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)
    world.pass_time(2 * MINUTE)
    killed(world, "put AWSPENDING")
    second = claim_version_id(FIRST_CLAIM)
    world.store.move_label(CLAIM, to=moved_to, remove_from=second)

    assert "yielded" == world.outcome()
    assert second == world.labels()[CLAIM]
    assert "claim_label_put_back" in world.log.events


def test_a_pending_label_that_is_not_ours_is_taken_and_named() -> None:
    """An AWSPENDING of somebody else is never promoted; the stage takes the label, and the log names who lost it."""
    world = World()
    theirs = "0" * 32
    world.store.put(theirs, SecretValue('{"refreshToken": "theirs"}'), label=PENDING)

    assert "refreshed" == world.outcome()
    taken = world.log.fields[world.log.events.index("pending_label_taken")]
    assert {"pending_version_id": theirs} == taken


def test_what_can_not_be_tidied_fails_nothing() -> None:
    """A refresh whose last label can't be moved has succeeded; the next run tidies up."""
    world = World()

    with world.at("move AWSPENDING", fail(SecretStoreUnavailable("down"))):
        assert "refreshed" == world.outcome()
    assert "fresh" == world.outcome()
    assert PENDING not in world.labels()
