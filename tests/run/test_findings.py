"""What a review found once, one test for each finding: each lost a grant, or blocked a secret."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, claim, policy
from grant import LOST, REJECTED, refused_versions, with_grant
from testbed.secrets_manager.model import SecretsModel
from token_refresh.errors import (
    ConfigurationError,
    DeadlineExceeded,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    SecretStoreUnavailable,
    TokensNotStored,
)
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.claims import write_claim
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.versions import CLAIM, CURRENT, record_version_id
from world import FIRST_CLAIM, World, killed

ELSEWHERE = policy(host="other.example")


def test_tokens_that_could_not_be_stored_are_not_said_to_be_safe() -> None:
    """Finding 1: where Secrets Manager refuses new tokens, the error says that the grant may be lost."""
    world = World(policy=SINGLE_USE)

    def refuse(name: str) -> None:
        if name == "put REFRESH_OUTCOME":
            raise SecretStoreUnavailable(name)

    world.store.before = refuse
    with (
        pytest.raises(TokensNotStored, match=r"`token-refresh authorize tokens --region eu-central-1`") as caught,
    ):
        world.execute()
    assert "nothing was redeemed" not in str(caught.value)


def test_a_worker_with_a_longer_grace_replays_nothing() -> None:
    """Finding 2: the grace that was stored with the claim counts, whatever another deployment is set to."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    world.endpoint.responses = [LOST]
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()

    world.policy = policy(grace=DAY)
    world.pass_time(5 * MINUTE)

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("force", [False, True])
def test_a_worker_with_another_endpoint_sends_nothing(*, force: bool) -> None:
    """Finding 2: neither the refresh token nor the client secret reaches a host that is not their provider's."""
    world = World()
    world.execute()
    world.policy = ELSEWHERE
    world.pass_time(DAY)

    with pytest.raises(ConfigurationError, match=r"belongs to provider\.example, and TOKEN_ENDPOINT is at other"):
        world.execute(force=force)
    assert 1 == len(world.endpoint.requests)


def test_a_claim_label_that_was_removed_from_a_long_chain_frees_no_open_claim() -> None:
    """Finding 3: after the first claims were pruned, the document still leads to the newest claim."""
    world = World(policy=SINGLE_USE)
    grant = with_grant(world, HOUR)
    for _ in range(120):
        assert "refreshed" == world.outcome()
        world.pass_time(40 * MINUTE)
    assert world.store.read(version_id=FIRST_CLAIM) is None
    killed(world, "put REFRESH_OUTCOME")
    world.store.move_label(CLAIM, to=None, remove_from=world.labels()[CLAIM])

    assert "yielded" == world.outcome()
    assert 121 == grant.refreshes


def stale(world: World, labels: set[str], act: Callable[[], object]) -> None:
    """Let reads of these labels show what was stored before `act`."""
    old, call = SecretsModel(), world.model.call
    old.restore(world.model.snapshot())
    act()

    def respond(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        is_stale = operation == "GetSecretValue" and request.get("VersionStage") in labels
        return (old.call if is_stale else call)(operation, request, now=now)

    world.model.call = respond  # type: ignore[method-assign]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("copied", [False, True])
def test_stale_reads_redeem_nothing_twice(*, force: bool, copied: bool) -> None:
    """Finding 4: where reads don't show another run's claim, the claim is refused and looked up by its ID."""
    world = World(policy=SINGLE_USE)

    def another_run() -> None:
        killed(world, "put REFRESH_OUTCOME")
        if copied:
            world.save(edited=True)

    stale(world, {CLAIM} if copied else {CLAIM, CURRENT}, another_run)

    assert "yielded" == world.outcome(force=force, time_left_seconds=30.0)
    assert 1 == len(world.endpoint.requests)


def test_one_false_rejection_stops_no_scheduled_run_for_ever() -> None:
    """Finding 5: the grant is asked for again an hour later."""
    world = World()
    world.endpoint.responses = [REJECTED]
    with pytest.raises(ReauthorizationRequired, match=r"`token-refresh authorize tokens --region eu-central-1`"):
        world.execute()
    world.pass_time(59 * MINUTE)
    with pytest.raises(ReauthorizationRequired):
        world.execute()
    assert 1 == len(world.endpoint.requests)

    world.pass_time(MINUTE)

    assert "refreshed" == world.outcome()


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("how", ["label moved back", "old copy saved"])
def test_used_tokens_are_known_for_longer_than_a_day(how: str, steps: int) -> None:
    """Finding 6: an older token set that is made current again leads to the newest tokens, and is not replayed."""
    world = World(policy=SINGLE_USE)
    grant = with_grant(world, DAY)
    history = []
    for _ in range(4):
        history.append((world.labels()[CURRENT], world.current()))
        assert "refreshed" == world.outcome()
        world.pass_time(DAY * 2 / 3)
    newest = world.labels()[CURRENT]
    version_id, document = history[-steps]

    if how == "label moved back":
        world.store.move_label(CURRENT, to=version_id, remove_from=newest)
    else:
        world.save_text(json.dumps(document))

    assert world.outcome() in {"recovered", "refreshed"}
    assert grant.alive
    assert f"refresh-{grant.refreshes}" == world.current()["refreshToken"]


@pytest.mark.parametrize(("settings", "seconds"), [(SINGLE_USE, 80.0), (policy(), 20.0)], ids=["single use", "grace"])
def test_a_single_use_provider_gets_all_the_time_that_is_left(settings: Policy, seconds: float) -> None:
    """Finding 7: a late response is worth waiting for where the request can't be repeated."""
    world = World(policy=settings)
    world.execute(time_left_seconds=90.0)

    assert [seconds] == world.endpoint.timeouts


def test_a_refresh_with_a_claim_table_makes_two_writes_to_the_secret() -> None:
    """Finding 8: one read, the new tokens and the label; claims cost one version less."""
    world = World(policy=policy(claim_store=SINGLE_USE.claim_store.TABLE))
    world.execute()
    assert world.table is not None
    world.store.calls.clear()
    world.table.calls.clear()
    world.pass_time(20 * HOUR)
    world.execute()

    assert ["read AWSCURRENT", "put REFRESH_OUTCOME", "move AWSCURRENT"] == world.store.calls
    assert ["read claim", "append claim"] == world.table.calls


CLAIM_FIELDS = json.loads(write_claim(claim(version_id="v")).reveal())


@pytest.mark.parametrize(
    "stored",
    [
        json.dumps(CLAIM_FIELDS | {"ttl_seconds": 1e11}),
        json.dumps(CLAIM_FIELDS | {"ttl_seconds": "soon"}),
        json.dumps(CLAIM_FIELDS | {"earlier": 1}),
        "[]",
        "not JSON",
    ],
)
def test_nothing_that_is_stored_as_a_claim_blocks_for_longer_than_an_hour(stored: str) -> None:
    """Finding 9: a claim that is unreadable or lasts for ever counts for an hour, and then the next run refreshes."""
    world = World()
    world.store.put(FIRST_CLAIM, SecretValue(stored), label=CLAIM)
    assert "yielded" == world.outcome()

    world.pass_time(HOUR)

    assert "refreshed" == world.outcome()


def test_an_unreadable_record_fails_no_run() -> None:
    """Finding 9: nobody knows how that attempt ended, so it counts as one that may have redeemed."""
    world = World(policy=policy(grace=DAY))
    killed(world, "put REFRESH_OUTCOME")
    world.store.put(record_version_id(FIRST_CLAIM), SecretValue("?"), label="other")
    world.pass_time(2 * MINUTE)

    assert "refreshed" == world.outcome()


def test_a_run_that_was_suspended_sends_nothing() -> None:
    """Finding 10: the clock counts suspended time, and past its time limit a run has no claim any more."""
    world = World()

    with (
        world.at("put REFRESH_CLAIM", lambda: world.pass_time(10 * MINUTE), after=True),
        pytest.raises(DeadlineExceeded, match=r"nothing was redeemed"),
    ):
        world.execute()
    assert [] == world.endpoint.requests


def test_a_redemption_that_was_lost_to_another_refresher_is_named() -> None:
    """Finding 11: the outcome is `superseded`, and a warning is logged."""
    world = World()

    def redeemed_by_another() -> object:
        world.save(refreshToken="theirs", expires_at=NOW + DAY)
        return REJECTED

    world.endpoint.responses = [redeemed_by_another]  # type: ignore[list-item]

    assert "superseded" == world.outcome()
    assert "refresh_superseded" in world.log.events


def test_a_forced_run_polls_ever_more_rarely() -> None:
    """A forced run that meets an open claim waits 1, 2, 4, then 8 seconds between looks."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)
    refused = refused_versions(world)
    before = len(world.store.calls)

    assert "yielded" == world.outcome(force=True, time_left_seconds=60.0)

    assert [1.0, 2.0, 4.0, 8.0] == world.clock.slept[:4]
    assert {8.0} == set(world.clock.slept[3:-1])
    assert 45 > len(world.store.calls) - before
    assert [] == refused


def test_a_used_token_whose_successor_is_gone_is_not_sent() -> None:
    """The error names the secret and the command: sent again, the token could revoke the grant."""
    world = World(policy=SINGLE_USE)
    first = world.labels()[CURRENT]
    world.execute()
    second = world.labels()[CURRENT]
    world.execute(force=True)
    third = world.labels()[CURRENT]
    world.store.move_label(CURRENT, to=first, remove_from=third)
    world.model.drop("tokens", second)
    world.model.drop("tokens", third)

    with pytest.raises(ReauthorizationRequired, match=r"`token-refresh authorize tokens --region eu-central-1`"):
        world.execute()
    assert 2 == len(world.endpoint.requests)
