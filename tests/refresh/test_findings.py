"""What an adversarial review found in protocol version 1: each of these lost a grant, or could have."""

import json
from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, origin, policy
from fakes import SECRET_ID, FakeStore
from testbed.secrets_manager.model import SecretsModel
from token_refresh.core.versions import CLAIM
from token_refresh.errors import (
    ConfigurationError,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
)
from token_refresh.oauth.response import Answer, Failure, Kind
from token_refresh.stored.origin import ClaimStoreKind
from world import FIRST_CLAIM, Killed, World, fail, killed

REJECTED = Failure(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
NO_ANSWER = Failure(kind=Kind.NO_ANSWER, seen="ReadTimeout")


def test_another_deployment_s_grace_does_not_count() -> None:
    """A lost response at a single-use provider is held, also by a worker that believes in a grace of a day."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    world.endpoint.answers = [NO_ANSWER]
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    world.policy = policy()

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_another_deployment_s_endpoint_gets_no_token() -> None:
    """A refresh token goes to the host that issued it, and the message says how to mend the settings."""
    world = World()
    world.execute()
    world.policy = policy(host="other.example")

    said = r"belongs to provider.example, and TOKEN_ENDPOINT is at other.example; .*authorize tokens --region eu-cen"
    with pytest.raises(ConfigurationError, match=said):
        world.execute(force=True)
    assert 1 == len(world.endpoint.requests)


def test_another_claim_store_is_named() -> None:
    """A worker that keeps its claims elsewhere does nothing, and says how to move them."""
    world = World(**origin(store=ClaimStoreKind.TABLE))

    with pytest.raises(
        ConfigurationError, match="token-refresh claims move tokens --region eu-central-1 --to versions"
    ):
        world.execute()


def test_a_claim_label_that_is_gone_restarts_no_chain() -> None:
    """With the label off and the root of the chain long gone, an open claim still holds others off."""
    world = World(policy=SINGLE_USE, expires_at=NOW + MINUTE)
    for _ in range(60):
        world.execute(force=True)
        world.pass_time(HOUR)
    assert FIRST_CLAIM not in {v.version_id for v in _versions(world)}, "the root was removed"
    with world.at("put REFRESH_OUTCOME", fail(Killed())), pytest.raises(Killed):
        world.execute(force=True)
    world.store.move_label(CLAIM, to=None, remove_from=world.labels()[CLAIM])
    sent = len(world.endpoint.requests)

    assert "yielded" == world.outcome(force=True, time_left_seconds=30.0)
    assert sent == len(world.endpoint.requests)


def _versions(world: World) -> Any:
    secret = world.model.find(SECRET_ID)
    assert secret is not None
    return secret.versions


def stale(world: World, before: Any, *, reads: int) -> None:
    """Let the next reads see the secret as it was."""
    now, left = world.model, reads

    def rewind(name: str) -> None:
        nonlocal left
        world.store.model = now
        if left and name.startswith("read"):
            left -= 1
            world.store.model = SecretsModel()
            world.store.model.restore(before)

    world.store.before = rewind


@pytest.mark.parametrize("reads", [1, 2])
@pytest.mark.parametrize("force", [False, True])
def test_a_stale_read_sends_no_spent_token(reads: int, force: bool) -> None:  # noqa: FBT001 - a table
    """A run that reads the secret as it was before another run's refresh redeems nothing again."""
    world = World(policy=SINGLE_USE)
    before = world.model.snapshot()
    world.execute()
    stale(world, before, reads=reads)

    assert world.outcome(force=force) in {"fresh", "refreshed", "yielded"}
    sent = [request.fields["refresh_token"] for request in world.endpoint.requests]
    assert len(sent) == len(set(sent))


def test_a_stale_read_after_a_refused_promotion_ends_the_run() -> None:
    """A promotion that was refused is not tried again: the read after it was stale, and a later run sees more."""
    world = World()
    killed(world, "move AWSCURRENT")
    before = world.model.snapshot()
    world.execute()
    world.store.calls.clear()
    stale(world, before, reads=1000)

    settled = world.execute()

    assert ("yielded", NOW + timedelta(seconds=30)) == (settled.name, settled.retry_at)
    assert 1 == world.store.calls.count("move AWSCURRENT")


def test_a_claim_that_can_not_be_read_yet_is_left_to_a_later_run() -> None:
    """A refused claim means that another run was faster, also if its claim is not visible yet."""
    world = World()
    before = world.model.snapshot()

    def another() -> None:
        world.store.before = lambda _: None
        killed(world, "put REFRESH_OUTCOME")
        stale(world, before, reads=10)

    with world.at("put REFRESH_CLAIM", another):
        settled = world.run()
        outcome = settled.execute()
    assert ("yielded", NOW + timedelta(seconds=30)) == (outcome.name, outcome.retry_at)
    assert 1 == len(world.endpoint.requests)


def test_one_false_rejection_stops_nothing_for_ever() -> None:
    """A rejected token is sent again after an hour, by a scheduled run."""
    world = World(expires_at=NOW + 7 * HOUR)
    world.endpoint.answers = [REJECTED]
    for minutes in (0, 59):
        world.pass_time(minutes * MINUTE)
        with pytest.raises(ReauthorizationRequired):
            world.execute()
    world.pass_time(MINUTE)

    assert "refreshed" == world.outcome()


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_spent_token_is_remembered_for_ever(steps: int, copied: bool) -> None:  # noqa: FBT001 - a table
    """`AWSCURRENT` moved back some steps, or an old copy saved, days later: the newest tokens come back."""
    world = World(policy=SINGLE_USE)
    seen = [(world.labels()["AWSCURRENT"], world.current())]
    for _ in range(3):
        world.execute(force=True)
        world.pass_time(2 * DAY)
        seen.append((world.labels()["AWSCURRENT"], world.current()))
    version_id, document = seen[3 - steps]
    if copied:
        world.save_text(json.dumps(document | {"note": "restored"}))
    else:
        world.store.move_label("AWSCURRENT", to=version_id, remove_from=world.labels()["AWSCURRENT"])
    sent = len(world.endpoint.requests)

    assert "would_recover" == world.outcome(dry_run=True)
    world.endpoint.answers = [REJECTED]
    with pytest.raises(ReauthorizationRequired):
        world.execute()
    assert "refresh-3" == world.endpoint.requests[-1].fields["refresh_token"]
    assert ("refresh-3", sent + 1) == (world.current()["refreshToken"], len(world.endpoint.requests))
    assert copied == ("note" in world.current())


def test_a_spent_token_whose_successor_is_gone_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the tokens that followed were removed, a person must authorize again."""
    world = World(policy=SINGLE_USE)
    old = world.current()
    for _ in range(2):
        world.execute(force=True)
    gone = world.labels()["AWSCURRENT"]
    killed(world, "put REFRESH_OUTCOME", force=True)
    world.save_text(json.dumps(old))
    read = FakeStore.read

    def without(store: FakeStore, **which: Any) -> Any:
        return None if which.get("version_id") == gone else read(store, **which)

    monkeypatch.setattr(FakeStore, "read", without)
    with pytest.raises(
        ReauthorizationRequired, match=r"was redeemed at .* are gone. Get a new grant with `token-refresh"
    ):
        world.execute()
    assert 3 == len(world.endpoint.requests)


def test_a_losing_redemption_is_an_outcome_of_its_own() -> None:
    """If another refresher redeemed meanwhile, the run ends `superseded`, with a warning."""
    world = World()

    def replaced() -> Answer:
        world.save(refreshToken="theirs", expires_at=NOW + HOUR)
        return REJECTED

    world.endpoint.answers = [replaced]

    assert "superseded" == world.outcome()
    assert "refresh_superseded" in world.log.events


def test_a_forced_run_polls_with_growing_pauses() -> None:
    """Another run's claim is looked at about a dozen times in 80 seconds, not every second."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    world.store.calls.clear()

    assert "yielded" == world.outcome(force=True, time_left_seconds=80.0)
    assert len(world.store.calls) <= 60
