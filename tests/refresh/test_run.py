"""Runs on a faithful store in memory: each test is a history of the secret, and what the next run makes of it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, MINUTE, NOW, ms, policy
from fakes import World, fail, tokens
from token_refresh.core.oauth import Answer, Failure, Kind
from token_refresh.core.secret_value import SecretValue
from token_refresh.core.versions import CLAIM, OUTCOME, PENDING, claim_version_id, staged_version_id
from token_refresh.errors import (
    ClientRejected,
    DeadlineExceeded,
    InvalidSecretDocument,
    InvalidTokenResponse,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    SecretAccessDenied,
    SecretEmpty,
    SecretStoreUnavailable,
    TokenEndpointUnavailable,
    TokenRefreshError,
    TokenRequestRejected,
    TokensNotStored,
)

SINGLE_USE = policy(grace=timedelta(0))
NO_ANSWER = Failure(kind=Kind.NO_ANSWER, seen="ReadTimeout")
NOT_SENT = Failure(kind=Kind.NOT_SENT, seen="ConnectError")
REJECTED = Failure(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
FIRST_CLAIM = claim_version_id(None)


class Killed(BaseException):
    """The process is gone: no handler of the run may catch it."""


def killed(world: World, name: str, **where: Any) -> None:
    """Run until just before (or after) a call, and die there."""
    with world.at(name, fail(Killed()), **where), pytest.raises(Killed):
        world.execute()


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


@pytest.mark.parametrize(
    ("answers", "error", "sent", "recorded"),
    [
        ([NOT_SENT] * 4, TokenEndpointUnavailable, 4, "not_redeemed"),
        ([Failure(kind=Kind.BUSY, seen="HTTP 429")] * 4, TokenEndpointUnavailable, 4, "not_redeemed"),
        ([NO_ANSWER] * 4, RefreshOutcomeUnknown, 4, "unknown"),
        ([NO_ANSWER, NOT_SENT, NOT_SENT, NOT_SENT], RefreshOutcomeUnknown, 4, "unknown"),
        ([Failure(kind=Kind.UNREADABLE, seen="HTTP 200 with an error in it")] * 4, InvalidTokenResponse, 4, "unknown"),
        ([Failure(kind=Kind.UNEXPECTED, seen="HTTP 302")], InvalidTokenResponse, 1, "not_redeemed"),
        ([NO_ANSWER, Failure(kind=Kind.UNEXPECTED, seen="HTTP 403")], InvalidTokenResponse, 2, "unknown"),
        ([Failure(kind=Kind.CLIENT_REJECTED, seen="HTTP 401")], ClientRejected, 1, "not_redeemed"),
        ([Failure(kind=Kind.REQUEST_REJECTED, seen="HTTP 400")], TokenRequestRejected, 1, "not_redeemed"),
    ],
)
def test_each_failure_is_named_recorded_and_changes_nothing(
    answers: list[Answer], error: type[TokenRefreshError], sent: int, recorded: str
) -> None:
    """What fails is sent again only where it may be, is recorded for later runs, and leaves AWSCURRENT as it was."""
    world = World()
    before = world.current()
    world.endpoint.answers = [*answers]
    run = world.run()

    with pytest.raises(error):
        run.execute()

    assert (sent, sent, before) == (len(world.endpoint.requests), run.session.requests_sent, world.current())
    record = world.store.read(label=OUTCOME)
    assert record is not None
    assert record.value is not None
    assert f'"outcome":"{recorded}"' in record.value.reveal()


def test_a_lost_answer_is_not_asked_for_again_without_a_grace_period() -> None:
    """With a single-use token, one request that may have been received is the last."""
    world = World(policy=SINGLE_USE)
    world.endpoint.answers = [NO_ANSWER]

    with pytest.raises(
        RefreshOutcomeUnknown, match=r"may have been received and no answer came \(ReadTimeout, after 1 "
    ):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_after_an_unknown_outcome_every_run_alarms_and_sends_nothing() -> None:
    """A held refresh raises in every run, so that the alarm stands, and the access token stays in use."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    killed(world, "put AWSPENDING")
    world.pass_time(2 * MINUTE)

    for _ in range(2):
        with pytest.raises(RefreshOutcomeUnknown, match=r"next attempt is made after 2026-11-24 17:00:00 UTC"):
            world.execute()
    assert 1 == len(world.endpoint.requests)


def test_a_replay_is_sent_only_within_the_grace_since_the_first_unknown_attempt() -> None:
    """Within a run, too, the provider's grace counts from the first request that may have redeemed."""
    world = World(policy=policy(grace=timedelta(minutes=3)), accessToken=None)
    killed(world, "put AWSPENDING")
    world.pass_time(timedelta(minutes=4))
    world.endpoint.answers = [NO_ANSWER]

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_retries_wait_as_long_as_the_provider_asks() -> None:
    """`Retry-After` is honoured where it fits into the deadline."""
    world = World()
    world.endpoint.answers = [Failure(kind=Kind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=17))]

    assert "refreshed" == world.outcome()
    assert [17.0] == world.clock.slept


def test_retries_end_where_the_provider_asks_for_more_than_there_is() -> None:
    """A `Retry-After` beyond the deadline ends the run at once."""
    world = World()
    world.endpoint.answers = [Failure(kind=Kind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=80))]

    with pytest.raises(TokenEndpointUnavailable, match=r"HTTP 429, after 1 request\b"):
        world.execute()
    assert [] == world.clock.slept


def test_each_request_leaves_time_to_store_its_answer() -> None:
    """A request's time limit is cut to what is left, less what storing needs."""
    world = World()

    world.execute(time_left_seconds=90.0)
    world.execute(time_left_seconds=25.0, force=True)

    assert [20.0, 15.0] == world.endpoint.timeouts


def test_a_run_with_too_little_time_claims_nothing() -> None:
    """A run that could not redeem and store safely leaves the secret as it is."""
    world = World()
    before = world.model.snapshot()

    with pytest.raises(DeadlineExceeded, match="14 s are left for secret tokens and a refresh needs 15 s"):
        world.execute(time_left_seconds=14.0)
    assert before == world.model.snapshot()


def test_a_run_that_lost_its_time_after_the_claim_gives_the_claim_back() -> None:
    """A claim under which nothing was sent is ended, so that its outcome is not taken for unknown."""
    world = World(policy=SINGLE_USE)

    with (
        world.at("read AWSPENDING", lambda: world.pass_time(timedelta(seconds=80))),
        pytest.raises(DeadlineExceeded),
    ):
        world.execute()
    assert [] == world.endpoint.requests
    assert "refreshed" == world.outcome()


def test_a_claim_that_ran_out_before_it_was_used_is_not_redeemed_under() -> None:
    """A run that was held up for longer than its claim lives starts over, or leaves it to others."""
    world = World(policy=SINGLE_USE)

    with world.at("put REFRESH_CLAIM", lambda: world.pass_time(2 * MINUTE), after=True):
        assert "refreshed" == world.outcome(time_left_seconds=300.0)
    assert (1, 2) == (len(world.endpoint.requests), world.store.calls.count("put REFRESH_CLAIM"))


def test_a_permission_that_is_missing_for_the_claim_is_found_before_anything_is_redeemed() -> None:
    """A role without PutSecretValue fails at the claim: nothing was sent."""
    world = World()

    with world.at("put REFRESH_CLAIM", fail(SecretAccessDenied("no"))), pytest.raises(SecretAccessDenied):
        world.execute()
    assert [] == world.endpoint.requests


def test_a_permission_that_is_missing_for_the_promotion_loses_nothing() -> None:
    """A role without UpdateSecretVersionStage has its tokens staged, and they are current once it has it."""
    world = World()

    with world.at("move AWSCURRENT", fail(SecretAccessDenied("no"))), pytest.raises(SecretAccessDenied):
        world.execute()
    assert "recovered" == world.outcome()
    assert 1 == len(world.endpoint.requests)


def test_a_stage_is_retried_until_the_deadline() -> None:
    """Received tokens are stored as soon as the store takes them, under the same version ID and as the same value."""
    world = World()
    until = 60.0

    def down(name: str) -> None:
        if name == "put AWSPENDING" and world.clock.seconds < until:
            raise SecretStoreUnavailable("down")

    world.store.before = down

    assert "refreshed" == world.outcome()
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))
    assert until <= world.clock.seconds < 90.0


def test_tokens_that_can_not_be_stored_are_an_error_of_their_own() -> None:
    """Where the store does not come back before the deadline, the run says that tokens were received and not stored."""
    world = World()

    def down(name: str) -> None:
        if name == "put AWSPENDING":
            raise SecretStoreUnavailable("the store is down")

    world.store.before = down

    with pytest.raises(TokensNotStored, match=r"could not be stored .*\(SecretStoreUnavailable: the store is down\)"):
        world.execute()
    assert world.clock.seconds <= 90.0
    assert "access-0" == world.current()["accessToken"]


def test_tokens_are_never_stored_over_something_else() -> None:
    """Where the derived version is taken by another value, the run says so, and overwrites nothing."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue("theirs"), label="SQUATTER")

    with pytest.raises(TokensNotStored, match="is taken by another value"):
        world.execute()
    assert "access-0" == world.current()["accessToken"]


def test_invalid_grant_stops_every_run_until_somebody_authorizes_again() -> None:
    """A rejected grant is asked about once; a new version of the secret clears it by itself."""
    world = World()
    world.endpoint.answers = [REJECTED]

    for _ in range(3):
        with pytest.raises(ReauthorizationRequired, match=r"\(invalid_grant\).*run `token-refresh authorize`"):
            world.execute()
    assert 1 == len(world.endpoint.requests)

    world.save(refreshToken="new grant")
    assert "refreshed" == world.outcome()


def test_invalid_grant_is_no_verdict_where_somebody_just_authorized_again() -> None:
    """After `invalid_grant` the state is read again: a version that appeared meanwhile is adopted."""
    world = World()

    def replaced() -> Answer:
        world.save(refreshToken="new grant", expires_at=NOW + DAY)
        return REJECTED

    world.endpoint.answers = [replaced]

    assert "fresh" == world.outcome()
    assert "new grant" == world.current()["refreshToken"]


def test_invalid_grant_waits_a_moment_for_tokens_that_are_just_being_stored() -> None:
    """Tokens that another writer stages within a few seconds of `invalid_grant` are adopted."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.endpoint.answers = [REJECTED]

    def stored_by_another() -> None:
        late = json.dumps({"accessToken": "late", "refreshToken": "late", "expiresAt": ms(NOW + DAY)})
        world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue(late), label=PENDING)

    with world.at("read AWSCURRENT", stored_by_another, nth=4):
        assert "recovered" == world.outcome()
    assert "late" == world.current()["accessToken"]
    assert [0.0, 1.0] == world.clock.slept


def test_a_record_that_can_not_be_stored_hides_no_failure() -> None:
    """Where even the record can't be stored, the failure itself is what is raised."""
    world = World()
    world.endpoint.answers = [Failure(kind=Kind.CLIENT_REJECTED, seen="HTTP 401")]

    with world.at("put REFRESH_OUTCOME", fail(SecretStoreUnavailable("down"))), pytest.raises(ClientRejected):
        world.execute()
    assert "record_not_stored" in world.log.events


def test_a_document_without_room_for_tokens_is_refused_before_anything_is_redeemed() -> None:
    """A document that could not be stored with longer tokens is refused before the claim."""
    world = World(stored=False)
    world.save(note="x" * 50_000)

    with pytest.raises(InvalidSecretDocument, match="leaves no room for new tokens"):
        world.execute()
    assert ([], 1) == (world.endpoint.requests, len(world.labels()))


@pytest.mark.parametrize("stored", ["[]", "not json", '{"refreshToken": null}', '{"refreshToken": 7}'])
def test_whatever_is_stored_stays_as_it_is(stored: str) -> None:
    """A document that can't be read is an error, and nothing is claimed, sent or written."""
    world = World(stored=False)
    world.save_text(stored)
    before = world.model.snapshot()

    with pytest.raises(InvalidSecretDocument):
        world.execute()
    assert (before, []) == (world.model.snapshot(), world.endpoint.requests)


def test_a_binary_secret_is_named() -> None:
    """A secret stored as binary is an error that says what to store instead."""
    world = World(stored=False)
    world.save_bytes("AAAA")

    with pytest.raises(InvalidSecretDocument, match="is binary; store the token document as text"):
        world.execute()


def test_a_state_that_never_comes_to_rest_ends_all_the_same() -> None:
    """Something that keeps interfering can't keep a run busy without end."""
    world = World()

    def meddle(name: str) -> None:
        if name == "put REFRESH_CLAIM":
            world.save(refreshToken=f"other-{len(world.store.calls)}")

    world.store.after = meddle

    with pytest.raises(SecretStoreUnavailable, match="did not come to rest within 50 steps"):
        world.execute(time_left_seconds=10_000.0)
    assert [] == world.endpoint.requests


def test_an_answer_that_is_due_at_once_is_no_reason_to_go_round() -> None:
    """A run refreshes once, also where the provider hands out tokens that are all but expired."""
    world = World()
    world.endpoint.answers = [tokens(1, lifetime=timedelta(seconds=1))]

    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)
