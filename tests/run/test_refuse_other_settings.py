"""A run whose host or claim store is another than the stored one sends nothing."""

from dataclasses import replace

import pytest

from run.grant import LOST
from run.world import FIRST_CLAIM, World, killed
from testbed.builders import (
    DAY,
    FORCED,
    IN_TABLE,
    SINGLE_USE,
    SINGLE_USE_IN_TABLE,
    claim,
    origin,
    policy,
    snapshot,
    token_set,
)
from testbed.fakes import FakeTable
from token_refresh.errors import ConfigurationError, RefreshOutcomeUnknown
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.steps import Redeem, SettingsMismatch
from token_refresh_worker.oauth.response import FailedRequest
from token_refresh_worker.stored.origin import StoreName, in_table


@pytest.mark.parametrize(
    ("current", "newest"),
    [
        (token_set(**origin(host="other.example")), None),
        (token_set(**origin(host="other.example")), claim(fate=Fate.REJECTED)),
        (token_set(), claim(fate=Fate.REJECTED, host="other.example")),
    ],
)
def test_no_token_goes_to_another_host(current: TokenSet, newest: Claim | None) -> None:
    """The document names the host, or without the key the newest claim does; force changes nothing."""
    found = plan(snapshot(newest, current=current), FORCED, policy())

    said = newest.claim_id if newest and current.document.origin is None else None
    assert SettingsMismatch("TOKEN_ENDPOINT", "other.example", "provider.example", claim_id=said) == found


def test_the_document_s_host_counts_before_the_claim_s() -> None:
    """After `authorize` for another provider, old claims name the old host."""
    moved = token_set(**origin())

    assert isinstance(
        plan(snapshot(claim(fate=Fate.REJECTED, host="old.example"), current=moved), FORCED, policy()), Redeem
    )


TABLE, OTHER = in_table("claims"), in_table("others")


@pytest.mark.parametrize(("named", "moving"), [(TABLE, True), (OTHER, False)])
def test_nothing_is_claimed_after_a_fence(named: StoreName, *, moving: bool) -> None:
    """From the fence on the claims are in its target, whatever the document names until the move is complete."""
    fenced = replace(claim(), fate=Fate.MOVED, moved_to=OTHER)
    current = token_set(**origin(claim_store=named))

    found = plan(snapshot(fenced, current=current), FORCED, IN_TABLE)

    assert SettingsMismatch("CLAIM_TABLE", OTHER, TABLE, moving=moving) == found


def test_a_worker_with_another_endpoint_sends_nothing() -> None:
    """Neither the refresh token nor the client secret reaches a host that is not their provider's."""
    world = World()
    world.execute()
    world.policy = policy(host="other.example")
    world.pass_time(DAY)

    with pytest.raises(ConfigurationError, match=r"belongs to provider\.example, and TOKEN_ENDPOINT is at other"):
        world.execute(force=True)
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize(
    ("first", "then", "options"),
    [
        (policy(), IN_TABLE, "--to table --table claims"),
        (IN_TABLE, policy(), "--to versions"),
        (IN_TABLE, policy(claim_store=in_table("others")), "--to table --table others"),
    ],
)
def test_another_claim_store_is_refused_with_the_command_that_moves(first: Policy, then: Policy, options: str) -> None:
    """Two deployments with different claim stores would not see each other's claims."""
    world = World(policy=first)
    world.execute()
    other = World(policy=then)
    other.model = other.store.model = world.model

    with pytest.raises(ConfigurationError, match=f"`token-refresh claims move tokens --region eu-central-1 {options}`"):
        other.execute()
    assert [] == other.endpoint.requests


@pytest.mark.parametrize("under_way", [False, True])
def test_a_table_beside_claims_in_the_secret(*, under_way: bool) -> None:
    """A document that no run has written names no store: a run with a table sends nothing while the secret has claims.

    The attempt there may have redeemed the token, or may be under way.
    """
    world = World(policy=SINGLE_USE)

    def move_to_table() -> None:
        world.policy, world.table = SINGLE_USE_IN_TABLE, FakeTable(clock=world.clock)

    def respond() -> FailedRequest:
        if under_way:
            move_to_table()
            with pytest.raises(ConfigurationError):
                world.execute(force=True)
        return LOST

    world.endpoint.responses = [respond]
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    move_to_table()

    with pytest.raises(ConfigurationError, match="claims move"):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_a_claim_that_names_another_host_is_named() -> None:
    """A document that no run wrote names no host: then the newest claim says it, and the error says which."""
    world = World(policy=SINGLE_USE)
    killed(world, "put REFRESH_OUTCOME")
    world.save(note="saved by hand")
    world.policy = replace(world.policy, host="other.example")

    with pytest.raises(ConfigurationError, match=f"as claim {FIRST_CLAIM} says .label REFRESH_CLAIM"):
        world.execute()
