"""Runs on a faithful store in memory: each test is a history of the secret, and what the next run makes of it."""

from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, ms, policy
from fakes import tokens
from token_refresh.core.oauth import Failure, Kind
from token_refresh.core.secret_value import SecretValue
from token_refresh.core.versions import CLAIM, OUTCOME, PENDING, claim_version_id, staged_version_id
from token_refresh.errors import (
    ClientRejected,
    RefreshOutcomeUnknown,
    SecretEmpty,
    SecretStoreUnavailable,
)
from world import Killed, World, fail, killed

SINGLE_USE = policy(grace=timedelta(0))
NO_ANSWER = Failure(kind=Kind.NO_ANSWER, seen="ReadTimeout")
NOT_SENT = Failure(kind=Kind.NOT_SENT, seen="ConnectError")
REJECTED = Failure(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
FIRST_CLAIM = claim_version_id(None)


def test_a_due_token_set_is_refreshed() -> None:
    """A due run claims, redeems once, stages, promotes and tidies, in nine calls and one request."""
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


@pytest.mark.parametrize("call", ["read AWSCURRENT", "put REFRESH_CLAIM"])
def test_a_run_that_died_before_its_claim_leaves_nothing_behind(call: str) -> None:
    """Before the claim is stored, a crash is as if the run had never been."""
    world = World()
    killed(world, call)

    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_died_with_its_claim_holds_others_off_until_it_ends() -> None:
    """A dead run's claim makes others yield, and says until when; then the next run refreshes."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    settled = world.execute()

    assert ("yielded", NOW + 2 * MINUTE) == (settled.outcome, settled.retry_at)
    world.pass_time(2 * MINUTE)
    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_died_after_it_staged_is_recovered_without_a_request() -> None:
    """Tokens that an interrupted run had staged are promoted by the next, at once."""
    world = World()
    killed(world, "put AWSPENDING", after=True)

    assert "recovered" == world.outcome()
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))
    assert PENDING not in world.labels()


def test_a_run_that_died_after_it_promoted_is_tidied_up() -> None:
    """A label that a dead run left on the current version is taken off by the next."""
    world = World()
    killed(world, "move AWSCURRENT", after=True)

    assert "fresh" == world.outcome()
    assert PENDING not in world.labels()


def test_old_recovered_tokens_are_refreshed_in_the_same_run() -> None:
    """Recovered tokens that are due themselves by now are refreshed at once."""
    world = World()
    killed(world, "put AWSPENDING", after=True)
    world.pass_time(2 * DAY)

    assert "refreshed" == world.outcome()
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


def test_a_run_that_lost_the_race_for_the_claim_yields() -> None:
    """Where another run appended the same claim first, this one sends nothing."""
    world = World()

    def another() -> None:
        with world.at("put AWSPENDING", fail(Killed())), pytest.raises(Killed):
            world.execute()

    with world.at("put REFRESH_CLAIM", another):
        assert "yielded" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_run_that_lost_the_race_to_a_whole_refresh_is_fresh() -> None:
    """Where another run did all the work meanwhile, there is nothing left to do."""
    world = World()

    with world.at("put REFRESH_CLAIM", world.execute):
        assert "fresh" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_forced_run_waits_for_another_s_result() -> None:
    """A forced run that meets another's live claim polls until another version is current, and is fresh then."""
    world = World()
    killed(world, "put AWSPENDING", after=True)
    staged = world.model.snapshot()
    world = World()
    killed(world, "put AWSPENDING")

    with world.at("read REFRESH_CLAIM", lambda: world.model.restore(staged), nth=4):
        settled = world.execute(force=True)

    assert "recovered" == settled.outcome
    assert 3 == len(world.clock.slept)


def test_a_forced_run_takes_over_when_the_other_s_claim_ends() -> None:
    """A forced run that outlasts a dead run's claim refreshes itself."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    assert "refreshed" == world.outcome(force=True, time_left_seconds=300.0)
    assert 120 <= world.clock.seconds < 125


def test_a_forced_run_waits_no_longer_than_its_own_deadline() -> None:
    """A forced run yields in the end, within its deadline."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    assert "yielded" == world.outcome(force=True, time_left_seconds=30.5)
    assert 30.5 == world.clock.seconds


def test_a_version_that_an_operator_stored_meanwhile_wins() -> None:
    """A promotion is refused where another version is current by now: nothing is overwritten."""
    world = World()

    with world.at("move AWSCURRENT", lambda: world.save(refreshToken="other", expires_at=NOW + DAY)):
        assert "fresh" == world.outcome()
    assert "other" == world.current()["refreshToken"]
    assert "promotion_refused" in world.log.events


def test_a_re_authorization_between_claim_and_redemption_is_left_alone() -> None:
    """A run whose version is no longer current redeems nothing, and ends its claim."""
    world = World()

    with world.at("put REFRESH_CLAIM", lambda: world.save(refreshToken="other", expires_at=NOW + DAY), after=True):
        assert "fresh" == world.outcome()
    assert [] == world.endpoint.requests
    assert OUTCOME in world.labels()
    assert "refreshed" == world.outcome(force=True)


def test_an_edited_copy_that_is_saved_meanwhile_gets_the_new_tokens() -> None:
    """Where a copy with the same, now spent, refresh token became current, the tokens are carried onto it."""
    world = World()

    with world.at("move AWSCURRENT", lambda: world.save(note="edited")):
        assert "refreshed" == world.outcome()
    assert ("access-1", "refresh-1", "edited") == tuple(
        world.current()[name] for name in ("accessToken", "refreshToken", "note")
    )
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize(("call", "after"), [("move AWSCURRENT", False), ("put AWSPENDING", True)])
def test_a_later_run_carries_tokens_for_one_that_died(call: str, after: bool) -> None:  # noqa: FBT001 - a table
    """Tokens that were received for a refresh token that an edited copy still holds are carried by any later run."""
    world = World()
    killed(world, "put AWSPENDING", after=True)
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
    world.endpoint.answers = [tokens(1, refresh_token=None)]
    killed(world, "put AWSPENDING", after=True)
    world.save(note="edited")

    assert "refreshed" == world.outcome()
    assert ("access-2", "edited") == (world.current()["accessToken"], world.current()["note"])


def test_an_edited_copy_of_a_version_that_was_never_redeemed_is_refreshed_like_any_other() -> None:
    """Attempts that failed on the version before spent nothing that the copy would need."""
    world = World()
    world.endpoint.answers = [Failure(kind=Kind.CLIENT_REJECTED, seen="HTTP 401")] * 2
    for _ in range(2):
        with pytest.raises(ClientRejected):
            world.execute()
    world.save(note="edited")

    assert "refreshed" == world.outcome()
    assert "edited" == world.current()["note"]


def test_a_version_that_was_redeemed_and_made_current_again_is_followed_by_its_successor() -> None:
    """AWSCURRENT moved back by hand to a redeemed version leads back to the tokens that replaced it."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.execute()
    second = world.labels()["AWSCURRENT"]
    world.store.move_label("AWSCURRENT", to=first, remove_from=second)

    assert "recovered" == world.outcome()
    assert (second, 1) == (world.labels()["AWSCURRENT"], len(world.endpoint.requests))


@pytest.mark.parametrize("gone", [CLAIM])
def test_a_claim_label_that_someone_took_off_is_put_back(gone: str) -> None:
    """A claim that is found by its derived ID although its label is gone holds others off all the same."""
    world = World()
    killed(world, "put AWSPENDING")
    world.store.move_label(gone, to=None, remove_from=FIRST_CLAIM)

    assert "yielded" == world.outcome()
    assert FIRST_CLAIM == world.labels()[CLAIM]
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


def test_an_edited_copy_is_held_back_as_its_original_would_be() -> None:
    """A copy with the same refresh token does not clear an unknown outcome: the token may be spent all the same."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    killed(world, "put AWSPENDING")
    world.pass_time(2 * MINUTE)
    world.save(note="edited", expires_at=NOW + 7 * HOUR)

    with pytest.raises(RefreshOutcomeUnknown, match=r"next attempt is made after 2026-11-24 17:00:00 UTC"):
        world.execute()
    assert 1 == len(world.endpoint.requests)
    assert "refreshed" == world.outcome(force=True)


def test_a_refresh_token_that_never_changes_is_not_held_back_for_an_outcome_before_its_last_success() -> None:
    """Where the same refresh token brought tokens later, an earlier unknown outcome proves nothing any more."""
    world = World(policy=SINGLE_USE, expires_at=NOW + HOUR)
    killed(world, "put AWSPENDING")
    world.pass_time(2 * MINUTE)
    world.endpoint.answers = [tokens(1, refresh_token=None)]
    assert "refreshed" == world.outcome(force=True)
    world.save(note="edited", expires_at=NOW + 7 * HOUR)

    assert "refreshed" == world.outcome()
