"""Runs that meet a provider, a store or a document that fails them: what is named, recorded, kept and sent again."""

import json
from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, ms, policy
from fakes import tokens
from token_refresh.core.oauth import Answer, Failure, Kind
from token_refresh.core.secret_value import SecretValue
from token_refresh.core.versions import OUTCOME, PENDING, claim_version_id, staged_version_id
from token_refresh.errors import (
    ClientRejected,
    DeadlineExceeded,
    InvalidSecretDocument,
    InvalidTokenResponse,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    SecretAccessDenied,
    SecretStoreUnavailable,
    TokenEndpointUnavailable,
    TokenRefreshError,
    TokenRequestRejected,
    TokensNotStored,
)
from world import World, fail, killed

SINGLE_USE = policy(grace=timedelta(0))
NO_ANSWER = Failure(kind=Kind.NO_ANSWER, seen="ReadTimeout")
NOT_SENT = Failure(kind=Kind.NOT_SENT, seen="ConnectError")
REJECTED = Failure(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
FIRST_CLAIM = claim_version_id(None)


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
