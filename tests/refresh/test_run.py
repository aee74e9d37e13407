"""Runs on a faithful store in memory: each test is a history of the secret, and what the next run makes of it."""

import pytest

from builders import DAY, HOUR, NOW, ms
from token_refresh.core.versions import CLAIM, staged_version_id
from token_refresh.errors import SecretEmpty
from world import FIRST_CLAIM, World, killed


def test_a_due_token_set_is_refreshed() -> None:
    """A due run claims, redeems once, stages, promotes and tidies; with the client secret, nine calls."""
    world = World(other=[1])
    first = world.labels()["AWSCURRENT"]

    settled = world.execute()

    assert "refreshed" == settled.outcome
    expected = {"accessToken": "access-1", "refreshToken": "refresh-1", "expiresAt": ms(NOW + DAY), "issuedAt": ms(NOW)}
    assert {"clientId": "client", "clientSecret": "hush", "other": [1]} | expected == world.current()
    staged = staged_version_id(FIRST_CLAIM, first)
    assert {"AWSCURRENT": staged, "AWSPREVIOUS": first, CLAIM: FIRST_CLAIM} == world.labels()
    assert [
        "read REFRESH_CLAIM",
        "read AWSCURRENT",
        "put REFRESH_CLAIM",
        "read AWSCURRENT",
        "read AWSPENDING",
        "put AWSPENDING",
        "move AWSCURRENT",
        "move AWSPENDING",
    ] == world.store.calls
    assert (1, 1) == (len(world.endpoint.requests), world.credentials_read)


def test_a_fresh_token_set_costs_two_reads() -> None:
    """A run that finds the token fresh reads twice and does nothing else."""
    world = World()
    world.execute()
    world.store.calls.clear()

    assert "fresh" == world.outcome()
    assert ["read REFRESH_CLAIM", "read AWSCURRENT"] == world.store.calls


def test_a_secret_without_a_value_is_named() -> None:
    """A secret that nobody filled yet is an error that says what to do."""
    with pytest.raises(SecretEmpty, match="store the first token set with `token-refresh authorize`"):
        World(stored=False).execute()


def test_a_forced_run_refreshes_what_is_fresh() -> None:
    """Force refreshes once, though nothing is due, and right after another refresh."""
    world = World()
    world.execute()

    assert "refreshed" == world.outcome(force=True)
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


@pytest.mark.parametrize("due", [True, False])
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(due: bool) -> None:  # noqa: FBT001 - a table
    """A dry run of a due or forced refresh writes and sends nothing."""
    world = World(expires_at=NOW + (HOUR if due else DAY))
    before = world.model.snapshot()

    assert "would_refresh" == world.outcome(dry_run=True, force=not due)
    assert (before, []) == (world.model.snapshot(), world.endpoint.requests)


def test_a_dry_run_of_a_fresh_secret_is_fresh() -> None:
    """Nothing due, nothing forced: a dry run says fresh, and leaves even a stray label alone."""
    world = World()
    killed(world, "move AWSPENDING")
    before = world.model.snapshot()

    assert "fresh" == world.outcome(dry_run=True)
    assert before == world.model.snapshot()


def test_a_dry_run_does_not_wait_for_another_s_claim() -> None:
    """A forced dry run that meets a live claim says so at once."""
    world = World()
    killed(world, "put AWSPENDING")

    assert "yielded" == world.outcome(dry_run=True, force=True)
    assert [] == world.clock.slept
