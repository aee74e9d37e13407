"""A refresh that brings fewer scopes: it succeeds, and is reported once, by whichever run makes the tokens current."""

from dataclasses import replace

import pytest

from run.world import World, killed
from testbed.fakes import tokens
from token_refresh_worker.providers.provider import AuthorizationPage
from token_refresh_worker.run.outcome import Outcome


@pytest.fixture
def world() -> World:
    """A grant of two scopes, as the first refresh names them."""
    world = World()
    refreshed(world, ("read", "write"))
    return world


def refreshed(world: World, scopes: tuple[str, ...] | None) -> Outcome:
    world.endpoint.responses = [replace(tokens(len(world.endpoint.requests) + 1), scopes=scopes)]
    return world.execute(force=True)


def reported(world: World) -> list[dict[str, object]]:
    lines = zip(world.log.events, world.log.fields, strict=True)
    return [fields for event, fields in lines if event == "scopes_shrunk"]


def test_a_refresh_that_takes_a_scope(world: World) -> None:
    """The refresh succeeds; the log and the outcome count what is gone, once."""
    ended = refreshed(world, ("read",))

    assert ("refreshed", 1) == (ended.name, ended.scopes_lost)
    assert [{"lost": 1, "named": []}] == reported(world)
    assert ["read"] == world.current()["tokenRefresh"]["scopes"]
    assert 0 == refreshed(world, ("read",)).scopes_lost


def test_lost_scopes_stay_known_until_they_are_back() -> None:
    """What refreshes took is stored by name beside the tokens, until a refresh brings it back."""
    world = World()
    stored = []
    for scopes in (("read", "write"), ("read",), None, (), ("read", "write")):
        refreshed(world, scopes)
        stored.append(world.current()["tokenRefresh"].get("scopes_lost"))

    assert [None, ["write"], ["write"], ["read", "write"], None] == stored


def test_scopes_that_a_person_stored() -> None:
    """A document stored by hand names its scopes itself: its first refresh reports those that it takes, too."""
    world = World(scope="read write")

    assert 1 == refreshed(world, ("read",)).scopes_lost
    assert ["write"] == world.current()["tokenRefresh"]["scopes_lost"]


def test_a_refresh_that_takes_all(world: World) -> None:
    """A response that names no scope at all takes all of them, once."""
    assert 2 == refreshed(world, ()).scopes_lost

    assert [] == world.current()["tokenRefresh"]["scopes"]
    assert 0 == refreshed(world, None).scopes_lost


def test_a_scope_that_the_profile_names(world: World) -> None:
    """The log quotes a scope that stands in the profile, and no other: a response may hold a token anywhere."""
    page = AuthorizationPage(endpoint="https://provider.example/authorize", scopes=("write",))
    world.provider = replace(world.provider, authorization=page)

    refreshed(world, ("something else",))

    assert [{"lost": 2, "named": ["write"]}] == reported(world)


@pytest.mark.parametrize("scopes", [None, ("read", "write"), ("admin", "read", "write")])
def test_a_refresh_that_takes_nothing(world: World, scopes: tuple[str, ...] | None) -> None:
    """Omitted scopes are unchanged (RFC 6749 section 6), and are remembered; more of them are no loss."""
    assert 0 == refreshed(world, scopes).scopes_lost

    assert [] == reported(world)
    assert list(scopes or ("read", "write")) == world.current()["tokenRefresh"]["scopes"]


def test_tokens_of_a_run_that_died(world: World) -> None:
    """The run that makes them current reports what they lack."""
    world.endpoint.responses = [replace(tokens(9), scopes=("read",))]
    killed(world, "move AWSCURRENT", force=True)

    ended = world.execute()

    assert ("recovered", 1) == (ended.name, ended.scopes_lost)
    assert 1 == len(reported(world))
