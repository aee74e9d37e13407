"""What may be sent again, and for how long: runs that meet a provider that fails them, or are short of time."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from run.grant import LOST
from run.world import World
from testbed.builders import HOUR, MINUTE, NOW, SINGLE_USE, SINGLE_USE_IN_TABLE
from token_refresh.errors import (
    ClientRejected,
    ConfigurationError,
    DeadlineExceeded,
    InvalidTokenResponse,
    RefreshOutcomeUnknown,
    TokenEndpointUnavailable,
    TokenRefreshError,
    TokenRequestRejected,
)
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind

NOT_SENT = FailedRequest(kind=FailureKind.NOT_SENT, seen="ConnectError")
BUSY = FailedRequest(kind=FailureKind.BUSY, seen="HTTP 429")
UNREADABLE = FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200")
UNEXPECTED = FailedRequest(kind=FailureKind.UNEXPECTED, seen="HTTP 302")
NOT_SIGNED = FailedRequest(kind=FailureKind.NOT_SIGNED, seen="kms:Sign failed")
CLIENT_REJECTED = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401", error="invalid_client")
REQUEST_REJECTED = FailedRequest(kind=FailureKind.REQUEST_REJECTED, seen="HTTP 400", error="invalid_request")


@pytest.mark.parametrize(
    ("responses", "error", "says", "recorded"),
    [
        ([NOT_SENT] * 4, TokenEndpointUnavailable, "(ConnectError, after 4 requests); this run", "not_redeemed"),
        ([BUSY] * 4, TokenEndpointUnavailable, "(HTTP 429, after 4 requests); this run redeemed", "not_redeemed"),
        ([LOST] * 4, RefreshOutcomeUnknown, "no usable response arrived (ReadTimeout, after 4 requests)", "unknown"),
        ([LOST, *[NOT_SENT] * 3], RefreshOutcomeUnknown, "(ConnectError, after 4 requests)", "unknown"),
        ([UNREADABLE] * 4, InvalidTokenResponse, "(HTTP 200, after 4 requests); the refresh token may have", "unknown"),
        ([UNEXPECTED], InvalidTokenResponse, "(HTTP 302, after 1 request); this run redeemed", "not_redeemed"),
        ([LOST, UNEXPECTED], InvalidTokenResponse, "after 2 requests); the refresh token may have", "unknown"),
        ([CLIENT_REJECTED], ClientRejected, "(HTTP 401, after 1 request); the grant may be fine", "not_redeemed"),
        ([NOT_SIGNED], ConfigurationError, "could not be signed (kms:Sign failed); nothing was sent", "not_redeemed"),
        ([LOST, NOT_SIGNED], RefreshOutcomeUnknown, "(kms:Sign failed, after 2 requests)", "unknown"),
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
    assert (recorded, responses[-1].error) == (world.record().fate, world.record().error)


@pytest.mark.parametrize("policy", [None, SINGLE_USE])
def test_a_page_instead_of_tokens_recommends_waiting_first(policy: Policy | None) -> None:
    """HTML with status 200 is a challenge or maintenance page: wait, before anybody changes anything."""
    world = World(policy=policy)
    world.endpoint.responses = [UNREADABLE] * 4

    with pytest.raises(InvalidTokenResponse) as failed:
        world.execute()

    assert str(failed.value.fix[0]).startswith("Wait first: a challenge or maintenance page passes")


@pytest.mark.parametrize("settings", [SINGLE_USE, SINGLE_USE_IN_TABLE], ids=["versions", "table"])
def test_retry_after_is_remembered(settings: Policy) -> None:
    """Later runs leave the provider in peace for as long as it asked."""
    world = World(policy=settings, expires_at=NOW + 7 * HOUR)
    world.endpoint.responses = [replace(BUSY, retry_after=2 * HOUR)]
    with pytest.raises(TokenEndpointUnavailable):
        world.execute()

    world.pass_time(2 * HOUR - MINUTE)
    assert ("yielded", NOW + 2 * HOUR) == ((ended := world.execute()).name, ended.retry_at)
    world.pass_time(MINUTE)
    assert "refreshed" == world.outcome()


@pytest.mark.parametrize(
    ("responses", "sent", "once"),
    [
        ([NOT_SENT], 1, 1),
        ([BUSY] * 2, 2, 2),
        ([replace(BUSY, retry_after=timedelta(seconds=2))] * 2, 2, 2),
        ([replace(BUSY, retry_after=timedelta(seconds=3))], 1, 1),
        ([BUSY, NOT_SENT], 2, 2),
        ([LOST] * 4, 4, 1),
        ([LOST, NOT_SENT, BUSY, LOST], 4, 1),
    ],
)
def test_a_run_of_a_fleet_repeats_little(responses: list[EndpointResponse], sent: int, once: int) -> None:
    """It repeats nothing at a dead host, a lost request unless the last runs failed, too, and once at a busy host.

    There it waits for two seconds at most, since it holds up others: its secret comes back later.
    """
    world = World()
    world.endpoint.responses = [*responses]

    with pytest.raises(TokenRefreshError):
        world.execute(name="fleet")
    assert sent == len(world.endpoint.requests)

    world = World()
    world.endpoint.responses = [*responses]
    with pytest.raises(TokenRefreshError):
        world.execute(name="fleet", once=True)
    assert once == len(world.endpoint.requests)


@pytest.mark.parametrize(("responses", "busy"), [([BUSY] * 4, True), ([NOT_SENT] * 4, False)])
def test_a_busy_endpoint_is_no_dead_one(responses: list[EndpointResponse], *, busy: bool) -> None:
    """The error of a run says whether the endpoint responded at all: a fleet's breakers count those that did not."""
    world = World()
    world.endpoint.responses = [*responses]

    with pytest.raises(TokenEndpointUnavailable) as raised:
        world.execute()
    assert busy is raised.value.busy


def test_the_endpoint_is_opened_once_a_refresh() -> None:
    """Repeats use the same client, and a run that sends nothing makes none."""
    world = World()
    world.endpoint.responses = [BUSY] * 3

    assert ["refreshed", "fresh"] == [world.outcome(), world.outcome()]
    assert (4, 1) == (len(world.endpoint.requests), world.endpoints_opened)


@pytest.mark.parametrize(
    ("settings", "times_left_seconds", "seconds"),
    [(None, [90.0, 25.0], [20.0, 15.0, 7.0]), (SINGLE_USE, [90.0], [80.0, 7.0])],
    ids=["grace", "single use"],
)
def test_each_request_leaves_time_to_store_the_tokens(
    settings: Policy | None, times_left_seconds: list[float], seconds: list[float]
) -> None:
    """With a grace period 20 s at most, else all that is left but 10 s: there a late response is better than none."""
    world = World(policy=settings)

    for left in times_left_seconds:
        world.execute(time_left_seconds=left, force=True)
    world.execute(request_timeout_seconds=7.0, force=True)

    assert seconds == world.endpoint.timeouts


def test_a_run_that_was_suspended_after_its_claim_sends_nothing() -> None:
    """The clock counts suspended time and is read before each request; the claim is recorded as not redeemed."""
    world = World(policy=SINGLE_USE)

    with (
        world.at("put REFRESH_CLAIM", lambda: world.pass_time(10 * MINUTE), after=True),
        pytest.raises(DeadlineExceeded, match=r"nothing was redeemed"),
    ):
        world.execute()
    assert [] == world.endpoint.requests
    assert "refreshed" == world.outcome()


@pytest.mark.parametrize("when", ["during a request", "in the pause before a repeat"])
def test_a_run_that_was_suspended_sends_no_second_request(when: str) -> None:
    """A repeat past the time limit is not sent, and the run says why the first request failed."""
    world = World()

    def suspended() -> EndpointResponse:
        world.pass_time(HOUR)
        return BUSY

    if when == "during a request":
        world.endpoint.responses = [suspended]
    else:
        world.endpoint.responses = [BUSY]
        world.clock.oversleep = lambda: world.pass_time(HOUR)

    with pytest.raises(TokenEndpointUnavailable, match="HTTP 429, after 1 request"):
        world.execute()
    assert 1 == len(world.endpoint.requests)
