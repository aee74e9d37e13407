"""The published copy, which consumers read, follows the token set and never goes back."""

from datetime import timedelta
from typing import Any

import pytest

from run.grant import REJECTED
from run.world import World, refuse
from testbed.builders import DAY, HOUR, NOW, ms, policy, snapshot, token_set
from testbed.fakes import PUBLISHED_ID
from token_refresh.errors import ReauthorizationRequired, SecretAccessDenied
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.snapshot import PublishedCopy, RunState
from token_refresh_worker.core.steps import Publish
from token_refresh_worker.stored.published import PublishedContent


def published() -> World:
    return World(published=True, tokenType="Bearer", scope="all")


def published_token(world: World) -> str:
    return str(world.current(PUBLISHED_ID)["accessToken"])


def test_a_refresh_publishes_what_consumers_need() -> None:
    """The copy has access token, expiry, type, scope and source version, and no refresh token."""
    world = published()

    assert "refreshed" == world.outcome()
    expected = {
        "accessToken": "access-1",
        "expiresAt": ms(NOW + DAY),
        "tokenType": "Bearer",
        "scope": "all",
        "sourceVersionId": world.labels()["AWSCURRENT"],
        "tokenRefresh": {"lifetime_seconds": DAY.total_seconds()},
    }
    assert expected == world.current(PUBLISHED_ID)
    assert ["AWSCURRENT", "AWSPREVIOUS", "REFRESH_OUTCOME"] == sorted(world.labels(PUBLISHED_ID))


def test_a_copy_that_is_up_to_date_costs_one_read() -> None:
    """A fresh run with a published copy reads it once and writes nothing."""
    world = published()
    world.execute()
    world.copy.calls.clear()

    assert "fresh" == world.outcome()
    assert ["read AWSCURRENT"] == world.copy.calls


@pytest.mark.parametrize("source", [None, "old", "v0"])
def test_what_somebody_else_stored_is_replaced_at_once(source: str | None) -> None:
    """Content that no run stored can't be newer, whatever source it names: the version ID proves it."""
    copy = PublishedCopy(
        version_id="by hand", stored_at=NOW - timedelta(seconds=1), content=PublishedContent(source_version_id=source)
    )
    fresh = snapshot(current=token_set(expires_at=NOW + DAY), published=copy)

    assert Publish() == plan(fresh, RunState(nonce="nonce", publishes=True), policy())


def test_a_young_copy_is_left_alone_by_a_run_that_only_read() -> None:
    """A read of the current version may be minutes old, and older than the copy: publishing it could go back."""
    world = published()
    world.execute()
    world.save(accessToken="a person's", refreshToken="new grant", expires_at=NOW + DAY)

    world.pass_time(SETTLED)
    assert ("fresh", "access-1") == (world.outcome(), published_token(world))
    world.pass_time(timedelta(seconds=1))
    assert ("fresh", "a person's") == (world.outcome(), published_token(world))


def test_the_copy_never_goes_back_to_an_older_token() -> None:
    """A run that was held up between reading and publishing leaves what another published meanwhile."""
    world = published()
    world.execute()
    world.save(accessToken="a person's", refreshToken="new grant", expires_at=NOW + DAY)
    world.pass_claim()
    seen = 0

    def overtaken(name: str) -> None:
        nonlocal seen
        seen += name == "move AWSCURRENT"
        if name == "move AWSCURRENT" and seen == 1:
            world.execute(force=True)

    world.copy.before = overtaken
    assert "fresh" == world.outcome()
    assert (world.current()["accessToken"], "access-2") == (published_token(world), published_token(world))


def test_publishing_that_fails_is_raised_once_the_refresh_is_safe() -> None:
    """A published secret that can't be written fails the run, after its tokens are current; the next run repairs it."""
    world = published()
    world.copy.before = refuse("put REFRESH_OUTCOME", SecretAccessDenied("no"))

    with pytest.raises(SecretAccessDenied):
        world.execute()
    assert "access-1" == world.current()["accessToken"]

    world.copy.before = lambda _: None
    assert "fresh" == world.outcome()
    assert "access-1" == published_token(world)


def test_a_failing_refresh_still_publishes_what_is_current() -> None:
    """Consumers get the current token also where the grant is dead."""
    world = published()
    world.endpoint.responses = [REJECTED]

    with pytest.raises(ReauthorizationRequired):
        world.execute()
    assert "access-0" == published_token(world)


@pytest.mark.parametrize("lacking", [{"accessToken": None, "expires_at": NOW + HOUR}, {"expires_at": None}])
def test_an_incomplete_token_set_is_published_once_it_is_complete(lacking: dict[str, Any]) -> None:
    """A document without an access token or its expiry is refreshed first, and then published."""
    world = World(published=True, **lacking)

    assert "refreshed" == world.outcome()
    assert "access-1" == published_token(world)


@pytest.mark.parametrize("due", [True, False])
def test_a_copy_that_can_not_be_read_does_not_stop_the_refresh(*, due: bool) -> None:
    """The refresh comes first; then the run fails, so that somebody learns of the copy."""
    world = World(published=True, expires_at=NOW + (HOUR if due else DAY))
    world.copy.before = refuse("read AWSCURRENT", SecretAccessDenied("no"))

    with pytest.raises(SecretAccessDenied):
        world.execute()
    assert ("access-1" if due else "access-0") == world.current()["accessToken"]
