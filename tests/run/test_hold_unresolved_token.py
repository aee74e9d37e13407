"""Rule 8: the current token may have been used, and the provider's grace is over."""

import pytest

from run.grant import LOST
from run.world import FIRST_CLAIM, World, killed
from testbed.builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, policy
from testbed.fakes import tokens
from token_refresh.errors import ClientRejected, RefreshOutcomeUnknown
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.versions import OUTCOME, staged_version_id
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.stored.origin import ClaimStoreKind

CLIENT_REJECTED = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401")


@pytest.mark.parametrize("edited", [False, True])
def test_after_an_unknown_outcome_every_run_alarms_and_sends_nothing(*, edited: bool) -> None:
    """A held refresh raises in every run, and the access token stays in use; an edited copy clears nothing."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()
    if edited:
        world.save(note="edited", expires_at=NOW + 7 * HOUR)

    for _ in range(2):
        with pytest.raises(RefreshOutcomeUnknown, match=r"next scheduled attempt is after 2026-11-24 17:00:00 UTC"):
            world.execute()
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute(force=True)
    assert 1 == len(world.endpoint.requests)
    assert "refreshed" == world.outcome(resend=FIRST_CLAIM)


def test_an_original_is_held_back_for_what_happened_to_its_copy() -> None:
    """AWSCURRENT moved back from a copy to its original clears no unknown outcome, whatever failed there before."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    original = world.labels()["AWSCURRENT"]
    world.endpoint.responses = [CLIENT_REJECTED]
    with pytest.raises(ClientRejected):
        world.execute()
    copy = world.save(note="edited", expires_at=NOW + 7 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()
    world.store.move_label("AWSCURRENT", to=original, remove_from=copy)

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_an_unreadable_staged_set_is_never_made_current() -> None:
    """Something else in its place counts as an attempt of unknown outcome."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    first = world.labels()["AWSCURRENT"]
    killed(world, "put REFRESH_OUTCOME")
    world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue("{}"), label=OUTCOME)

    assert "yielded" == world.outcome()
    world.pass_claim()
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert first == world.labels()["AWSCURRENT"]


def test_a_worker_with_a_longer_grace_replays_nothing() -> None:
    """The grace that was stored with the claim counts, whatever another deployment is set to."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    world.endpoint.responses = [LOST]
    for settings in (SINGLE_USE, policy(grace=DAY)):
        world.policy = settings
        with pytest.raises(RefreshOutcomeUnknown):
            world.execute()
        world.pass_time(5 * MINUTE)
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("edited", [False, True])
def test_a_replay_is_sent_only_within_the_grace_since_the_first_unknown_attempt(*, edited: bool) -> None:
    """Within a run, and on an edited copy, too, the grace counts from the first request that may have redeemed."""
    world = World(policy=policy(grace=10 * MINUTE), accessToken=None)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()
    if edited:
        world.save(accessToken=None, note="edited")
    world.endpoint.responses = [LOST]

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_attempts_that_redeemed_nothing_hold_no_copy_back() -> None:
    """An edited copy of a version on which requests were rejected is refreshed like any other."""
    world = World()
    world.endpoint.responses = [CLIENT_REJECTED] * 2
    for _ in range(2):
        with pytest.raises(ClientRejected):
            world.execute()
    world.save(note="edited")

    assert "refreshed" == world.outcome()
    assert "edited" == world.current()["note"]


def test_a_refresh_token_that_never_changes_is_not_held_back_for_an_outcome_before_its_last_success() -> None:
    """Where the same refresh token brought tokens later, an earlier unknown outcome proves nothing any more."""
    world = World(policy=SINGLE_USE, expires_at=NOW + HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()
    world.endpoint.responses = [tokens(1, refresh_token=None)]
    assert "refreshed" == world.outcome(force=True)
    world.save(note="edited", expires_at=NOW + 7 * HOUR)

    assert "refreshed" == world.outcome()


def test_a_short_grace_is_long_enough_for_the_run_after_one_that_died() -> None:
    """With a grace of ten minutes and a run every five, the request is repeated within the grace."""
    world = World(policy=policy(grace=10 * MINUTE), issued_at=NOW - 41 * MINUTE, expires_at=NOW + 19 * MINUTE)
    killed(world, "put REFRESH_OUTCOME")

    world.pass_time(5 * MINUTE)
    assert "refreshed" == world.outcome()


@pytest.mark.parametrize("store", list(ClaimStoreKind))
def test_a_lost_response_is_asked_for_again_while_nothing_is_due(store: ClaimStoreKind) -> None:
    """A forced refresh of fresh tokens may lose its response: the grace ends long before the next refresh is due."""
    world = World(policy=policy(grace=DAY, claim_store=store), issued_at=NOW - DAY, expires_at=NOW + 59 * DAY)
    world.endpoint.responses = [LOST] * 4
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute(force=True)
    world.pass_claim()

    assert "refreshed" == world.outcome()
