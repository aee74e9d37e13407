"""Runs that meet a provider that fails them: what is named, recorded, kept and sent again."""

import re
from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, policy
from fakes import tokens
from token_refresh.errors import (
    ClientRejected,
    ConfigurationError,
    InvalidTokenResponse,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    TokenEndpointUnavailable,
    TokenRefreshError,
    TokenRequestRejected,
)
from token_refresh_worker.core.claims import read_record
from token_refresh_worker.core.versions import OUTCOME
from token_refresh_worker.oauth.response import FailedRequest, Kind, Response
from world import World, killed

NO_RESPONSE = FailedRequest(kind=Kind.NO_RESPONSE, seen="ReadTimeout")
NOT_SENT = FailedRequest(kind=Kind.NOT_SENT, seen="ConnectError")
BUSY = FailedRequest(kind=Kind.BUSY, seen="HTTP 429")
UNREADABLE = FailedRequest(kind=Kind.UNREADABLE, seen="HTTP 200")
UNEXPECTED = FailedRequest(kind=Kind.UNEXPECTED, seen="HTTP 302")
NOT_SIGNED = FailedRequest(kind=Kind.NOT_SIGNED, seen="kms:Sign failed")
CLIENT_REJECTED = FailedRequest(kind=Kind.CLIENT_REJECTED, seen="HTTP 401", error="invalid_client")
REQUEST_REJECTED = FailedRequest(kind=Kind.REQUEST_REJECTED, seen="HTTP 400", error="invalid_request")
REJECTED = FailedRequest(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")


@pytest.mark.parametrize(
    ("responses", "error", "says", "recorded"),
    [
        (
            [NOT_SENT] * 4,
            TokenEndpointUnavailable,
            "(ConnectError, after 4 requests); this run",
            "not_redeemed",
        ),
        ([BUSY] * 4, TokenEndpointUnavailable, "(HTTP 429, after 4 requests); this run redeemed", "not_redeemed"),
        ([NO_RESPONSE] * 4, RefreshOutcomeUnknown, "no response arrived (ReadTimeout, after 4 requests)", "unknown"),
        ([NO_RESPONSE, *[NOT_SENT] * 3], RefreshOutcomeUnknown, "(ConnectError, after 4 requests)", "unknown"),
        ([UNREADABLE] * 4, InvalidTokenResponse, "(HTTP 200, after 4 requests); the refresh token may have", "unknown"),
        ([UNEXPECTED], InvalidTokenResponse, "(HTTP 302, after 1 request); this run redeemed", "not_redeemed"),
        ([NO_RESPONSE, UNEXPECTED], InvalidTokenResponse, "after 2 requests); the refresh token may have", "unknown"),
        ([CLIENT_REJECTED], ClientRejected, "(HTTP 401, after 1 request); the grant may be fine", "not_redeemed"),
        ([NOT_SIGNED], ConfigurationError, "could not be signed (kms:Sign failed); nothing was sent", "not_redeemed"),
        ([NO_RESPONSE, NOT_SIGNED], RefreshOutcomeUnknown, "(kms:Sign failed, after 2 requests)", "unknown"),
        ([REQUEST_REJECTED], TokenRequestRejected, "(HTTP 400, after 1 request); this run redeemed", "not_redeemed"),
    ],
)
def test_each_failure_is_named_recorded_and_changes_nothing(
    responses: list[FailedRequest], error: type[TokenRefreshError], says: str, recorded: str
) -> None:
    """What fails is sent again only where it may be, recorded with the provider's code, and leaves AWSCURRENT alone."""
    world = World()
    before = world.current()
    world.endpoint.responses = [*responses]
    run = world.run()

    with pytest.raises(error, match=re.escape(says)):
        run.execute()

    sent = len(responses)
    assert (sent, sent, before) == (len(world.endpoint.requests), run.memory.requests_sent, world.current())
    record = world.store.read(label=OUTCOME)
    assert record is not None
    assert record.value is not None
    found = read_record(record.version_id, record.value)
    assert (recorded, responses[-1].error) == (found.fate, found.error)


def test_an_endpoint_that_can_not_be_used_claims_nothing() -> None:
    """A wrong proxy variable is an error before the claim, so it costs no attempt."""
    world = World()
    before = world.model.snapshot()
    world.endpoint_error = ConfigurationError("the proxy variable")

    with pytest.raises(ConfigurationError, match="the proxy variable"):
        world.execute()
    assert before == world.model.snapshot()


def test_the_endpoint_is_opened_once_a_refresh() -> None:
    """Repeats use the same client, and a run that sends nothing makes none."""
    world = World()
    world.endpoint.responses = [BUSY] * 3

    assert ["refreshed", "fresh"] == [world.outcome(), world.outcome()]
    assert (4, 1) == (len(world.endpoint.requests), world.endpoints_opened)


def test_a_lost_response_is_not_asked_for_again_without_a_grace_period() -> None:
    """With a single-use token, one request that may have been received is the last."""
    world = World(policy=SINGLE_USE)
    world.endpoint.responses = [NO_RESPONSE]

    with pytest.raises(
        RefreshOutcomeUnknown, match=r"may have been received, and no response arrived \(ReadTimeout, after 1 "
    ):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_after_an_unknown_outcome_every_run_alarms_and_sends_nothing() -> None:
    """A held refresh raises in every run, so that the alarm stands, and the access token stays in use."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_time(2 * MINUTE)

    for _ in range(2):
        with pytest.raises(RefreshOutcomeUnknown, match=r"next scheduled attempt is after 2026-11-24 17:00:00 UTC"):
            world.execute()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("edited", [False, True])
def test_a_replay_is_sent_only_within_the_grace_since_the_first_unknown_attempt(edited: bool) -> None:  # noqa: FBT001 - a table
    """Within a run, and on an edited copy, too, the grace counts from the first request that may have redeemed."""
    world = World(policy=policy(grace=timedelta(minutes=3)), accessToken=None)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_time(timedelta(minutes=4))
    if edited:
        world.save(accessToken=None, note="edited")
    world.endpoint.responses = [NO_RESPONSE]

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_retries_wait_as_long_as_the_provider_asks() -> None:
    """`Retry-After` is honoured where it fits into the deadline."""
    world = World()
    world.endpoint.responses = [FailedRequest(kind=Kind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=17))]

    assert "refreshed" == world.outcome()
    assert [17.0] == world.clock.slept


def test_retries_end_where_the_provider_asks_for_more_than_there_is() -> None:
    """A `Retry-After` beyond the deadline ends the run at once."""
    world = World()
    world.endpoint.responses = [FailedRequest(kind=Kind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=80))]

    with pytest.raises(TokenEndpointUnavailable, match=r"HTTP 429, after 1 request\b"):
        world.execute()
    assert [] == world.clock.slept


def test_invalid_grant_stops_every_run_until_somebody_authorizes_again() -> None:
    """A rejected grant is asked about once; a new version of the secret clears it by itself."""
    world = World()
    world.endpoint.responses = [REJECTED]

    said = (
        " at 2026-11-24 12:00:00 UTC; the next scheduled attempt is after 2026-11-24 13:00:00 UTC. "
        "Get a new grant with `token-refresh authorize tokens --region eu-central-1`"
    )
    for how in (" (HTTP 400 with invalid_grant)", "", ""):  # what the first run saw, a later one did not see
        with pytest.raises(ReauthorizationRequired, match=re.escape(f"secret tokens in eu-central-1{how}{said}")):
            world.execute()
    assert 1 == len(world.endpoint.requests)
    record = world.store.read(label=OUTCOME)
    assert record is not None
    assert record.value is not None
    assert "invalid_grant" == read_record(record.version_id, record.value).error

    world.save(refreshToken="new grant")
    assert "refreshed" == world.outcome()


def test_a_forced_run_asks_about_a_dead_grant_once() -> None:
    """Force gives a rejected grant one more request a run, and no more."""
    world = World()
    world.endpoint.responses = [REJECTED] * 3

    for _ in range(2):
        with pytest.raises(ReauthorizationRequired):
            world.execute(force=True)
    assert 2 == len(world.endpoint.requests)


def test_invalid_grant_is_no_verdict_where_somebody_just_authorized_again() -> None:
    """After `invalid_grant` the state is read again: a version that appeared meanwhile is adopted."""
    world = World()

    def replaced() -> Response:
        world.save(refreshToken="new grant", expires_at=NOW + DAY)
        return REJECTED

    world.endpoint.responses = [replaced]

    assert "superseded" == world.outcome()
    assert "new grant" == world.current()["refreshToken"]
    assert "refresh_superseded" in world.log.events


def test_tokens_that_are_due_at_once_are_not_refreshed_again() -> None:
    """A run refreshes once, also where the provider hands out tokens that are all but expired."""
    world = World()
    world.endpoint.responses = [tokens(1, lifetime=timedelta(seconds=1))]

    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)
