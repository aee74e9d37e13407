"""Runs on an edited copy: a version that an operator saved with the refresh token of the one before."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE
from fakes import tokens
from testbed.secrets_manager.limits import VERSIONS_PER_SECRET
from token_refresh.errors import ClientRejected, RefreshOutcomeUnknown
from token_refresh_worker.oauth.formats import ResponseFormat
from token_refresh_worker.oauth.response import FailedRequest, Kind
from world import World, killed


@pytest.mark.parametrize("left", [HOUR, DAY])
def test_an_edited_copy_that_is_saved_meanwhile_gets_the_new_tokens(left: timedelta) -> None:
    """Where a copy with the same, now used, refresh token became current, due or not, the tokens go onto it."""
    world = World()

    with world.at("move AWSCURRENT", lambda: world.save(note="edited", expires_at=NOW + left)):
        assert "refreshed" == world.outcome()
    assert ("access-1", "refresh-1", "edited") == tuple(
        world.current()[name] for name in ("accessToken", "refreshToken", "note")
    )
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize(("call", "after"), [("move AWSCURRENT", False), ("put REFRESH_OUTCOME", True)])
def test_a_later_run_carries_tokens_for_one_that_died(call: str, after: bool) -> None:  # noqa: FBT001 - a table
    """Tokens that were received for a refresh token that an edited copy still holds are carried by any later run."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)
    world.save(note="edited")
    killed(world, call, after=after)

    assert "recovered" == world.outcome()
    assert ("access-1", "edited", 1) == (
        world.current()["accessToken"],
        world.current()["note"],
        len(world.endpoint.requests),
    )


def test_a_provider_that_never_changes_the_refresh_token_spends_none() -> None:
    """With a refresh token that stays the same, an edited copy is refreshed like any other version."""
    world = World()
    world.endpoint.responses = [tokens(1, refresh_token=None)]
    killed(world, "put REFRESH_OUTCOME", after=True)
    world.save(note="edited")

    assert "refreshed" == world.outcome()
    assert ("access-2", "edited") == (world.current()["accessToken"], world.current()["note"])


def test_an_edited_copy_of_a_version_that_was_never_redeemed_is_refreshed_like_any_other() -> None:
    """Attempts that failed on the version before used nothing that the copy would need."""
    world = World()
    world.endpoint.responses = [FailedRequest(kind=Kind.CLIENT_REJECTED, seen="HTTP 401")] * 2
    for _ in range(2):
        with pytest.raises(ClientRejected):
            world.execute()
    world.save(note="edited")

    assert "refreshed" == world.outcome()
    assert "edited" == world.current()["note"]


def test_a_copy_that_is_due_at_this_very_moment_is_not_redeemed_a_second_time() -> None:
    """From the first moment at which a copy is due, what was received for its refresh token is looked for."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)
    world.save(note="edited", expires_at=NOW + 8 * HOUR)

    assert "recovered" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_an_original_is_held_back_for_what_happened_to_its_copy() -> None:
    """AWSCURRENT moved back from a copy to its original clears no unknown outcome, whatever failed there before."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    original = world.labels()["AWSCURRENT"]
    world.endpoint.responses = [FailedRequest(kind=Kind.CLIENT_REJECTED, seen="HTTP 401")]
    with pytest.raises(ClientRejected):
        world.execute()
    copy = world.save(note="edited", expires_at=NOW + 7 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_time(2 * MINUTE)
    world.store.move_label("AWSCURRENT", to=original, remove_from=copy)

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_an_attempt_on_a_version_that_is_gone_stops_nothing() -> None:
    """A version that Secrets Manager has pruned since it was redeemed is passed over."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    world.pass_time(DAY)
    for number in range(VERSIONS_PER_SECRET - 1):
        world.save(refreshToken=f"other-{number}")
    world.pass_time(DAY)

    assert "refreshed" == world.outcome()


def test_an_edited_copy_is_held_back_as_its_original_would_be() -> None:
    """A copy with the same refresh token does not clear an unknown outcome: the token may be used all the same."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_time(2 * MINUTE)
    world.save(note="edited", expires_at=NOW + 7 * HOUR)

    with pytest.raises(RefreshOutcomeUnknown, match=r"next scheduled attempt is after 2026-11-24 17:00:00 UTC"):
        world.execute()
    assert 1 == len(world.endpoint.requests)
    assert "refreshed" == world.outcome(force=True)


def test_a_refresh_token_that_never_changes_is_not_held_back_for_an_outcome_before_its_last_success() -> None:
    """Where the same refresh token brought tokens later, an earlier unknown outcome proves nothing any more."""
    world = World(policy=SINGLE_USE, expires_at=NOW + HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_time(2 * MINUTE)
    world.endpoint.responses = [tokens(1, refresh_token=None)]
    assert "refreshed" == world.outcome(force=True)
    world.save(note="edited", expires_at=NOW + 7 * HOUR)

    assert "refreshed" == world.outcome()


def test_what_came_with_the_tokens_is_carried_too() -> None:
    """Fields of the response that the profile keeps follow the tokens onto an edited copy; its other keys stay."""
    world = World(instance_url="https://old.example.com")
    world.provider = replace(world.provider, response=ResponseFormat(keep=("instance_url",)))
    world.endpoint.responses = [replace(tokens(1), kept={"instance_url": "https://new.example.com"})]

    with world.at("put REFRESH_OUTCOME", lambda: world.save(note="edited", instance_url="https://old.example.com")):
        world.execute()

    assert ("https://new.example.com", "edited") == (world.current()["instance_url"], world.current()["note"])
