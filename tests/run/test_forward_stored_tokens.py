"""The current token was used, and what it brought is stored: these tokens become current, or are carried."""

from dataclasses import replace
from datetime import timedelta

import pytest

from run.world import World, killed, stale_reads
from testbed.builders import DAY, HOUR, NOW, SINGLE_USE, SINGLE_USE_IN_TABLE
from testbed.fakes import tokens
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.core.schedule import SETTLED, Policy
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.formats import ResponseFormat

BOTH_STORES = pytest.mark.parametrize("settings", [SINGLE_USE, SINGLE_USE_IN_TABLE], ids=["versions", "table"])


def test_old_recovered_tokens_are_refreshed_in_the_same_run() -> None:
    """Recovered tokens that are due themselves by now are refreshed at once."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)
    world.pass_time(2 * DAY)

    assert "refreshed" == world.outcome()
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


def test_a_version_that_an_operator_stored_meanwhile_wins() -> None:
    """A promotion is refused where another version is current by now: nothing is overwritten."""
    world = World()

    with world.at("move AWSCURRENT", lambda: world.save(refreshToken="other", expires_at=NOW + DAY)):
        assert "fresh" == world.outcome()
    assert "other" == world.current()["refreshToken"]
    assert "promotion_refused" in world.log.events


def test_a_promotion_that_stale_reads_ask_for_again_ends_the_run() -> None:
    """The label has moved, and the read doesn't show it yet: the run yields for as long as reads may be stale."""
    world = World()
    killed(world, "move AWSCURRENT")
    stale_reads(world, CURRENT)
    world.save(refreshToken="other", expires_at=NOW + DAY)
    world.store.calls.clear()

    ended = world.execute()

    assert ("yielded", NOW + SETTLED) == (ended.name, ended.retry_at)
    assert 1 == world.store.calls.count("move AWSCURRENT")


def test_a_secret_that_never_comes_to_rest_ends_the_run() -> None:
    """Something that keeps interfering can't keep a run busy without end."""
    world = World()
    killed(world, "move AWSCURRENT")

    def meddle(name: str) -> None:
        if name == "move AWSCURRENT":
            world.save(note=len(world.store.calls))

    world.store.before = meddle

    with pytest.raises(SecretStoreUnavailable, match=r"kept changing while this run read it \(50 times\)"):
        world.execute(time_left_seconds=10_000.0)
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("left", [HOUR, 8 * HOUR, DAY])
def test_an_edited_copy_that_is_saved_meanwhile_gets_the_new_tokens(left: timedelta) -> None:
    """Where a copy with the same, now used, refresh token became current, due or not, the tokens go onto it."""
    world = World()

    with world.at("move AWSCURRENT", lambda: world.save(note="edited", expires_at=NOW + left)):
        assert "refreshed" == world.outcome()
    found = world.current()
    assert ("access-1", "refresh-1", "edited") == (found["accessToken"], found["refreshToken"], found["note"])
    assert 1 == len(world.endpoint.requests)


def test_what_came_with_the_tokens_is_carried_too() -> None:
    """Fields of the response that the profile keeps follow the tokens onto an edited copy; its other keys stay."""
    world = World(instance_url="https://old.example.com")
    world.provider = replace(world.provider, response=ResponseFormat(keep=("instance_url",)))
    world.endpoint.responses = [replace(tokens(1), extra={"instance_url": "https://new.example.com"})]

    with world.at("put REFRESH_OUTCOME", lambda: world.save(note="edited", instance_url="https://old.example.com")):
        world.execute()

    assert ("https://new.example.com", "edited") == (world.current()["instance_url"], world.current()["note"])


@BOTH_STORES
@pytest.mark.parametrize(
    "issued",
    [
        ["refresh-0"] * 4,
        [None] * 4,
        ["refresh-1", "refresh-0", "refresh-1", "refresh-0"],
        ["refresh-1", None, "refresh-2"],
    ],
    ids=["the same", "none", "two in turn", "now and then"],
)
def test_a_provider_may_issue_any_refresh_token(issued: list[str | None], settings: Policy) -> None:
    """The same one, none, or one from before: a token counts as used only since it was last issued."""
    world = World(policy=settings)
    world.endpoint.responses = [tokens(n, refresh_token=token) for n, token in enumerate(issued)]

    for _ in issued:
        assert "refreshed" == world.outcome()
        world.pass_time(DAY * 2 / 3)
    assert len(issued) == len(world.endpoint.requests)
