"""The whole function, where a single-use refresh token may have been redeemed and no tokens arrived."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import respx

from testbed.provider import script
from worker.ground import Ground

HOUR_SECONDS = 3600
PAGE = b"<h1>Guru Meditation</h1>"
BUSY = b'{"error": "temporarily_unavailable"}'


@pytest.fixture(params=["versions", "table"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """A token set that is due, five hours before the last quarter of its window."""
    with Ground(table=request.param == "table") as ground:
        ground.fresh(expiresAt=int((ground.store.now() + 7 * HOUR_SECONDS) * 1000))
        yield ground


def lose(ground: Ground) -> str:
    """Lose the response to the next redemption; return the claim ID that the error's message names."""
    ground.endpoint.play(script.close(commit=True))
    assert "RefreshOutcomeUnknown" == ground.run()
    return named(ground)


def named(ground: Ground) -> str:
    found = re.search(r"--resend ([0-9a-f-]{36})", str(ground.error))
    assert found
    return found[1]


@pytest.fixture
def provider(ground: Ground) -> Iterator[respx.Route]:
    """The token endpoint, played where its status and its body are all that matters."""
    with respx.mock(using="httpcore") as router:
        yield router.post(ground.endpoint.url)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (408, PAGE, {}),
        (500, b'{"error": "invalid_grant"}', {}),
        (503, PAGE, {"Retry-After": "5"}),
    ],
)
def test_a_gateway_s_response_is_no_verdict(
    ground: Ground, provider: respx.Route, status: int, body: bytes, headers: dict[str, str]
) -> None:
    """The provider may have redeemed before its gateway failed: nothing is sent again, an hour later either."""
    provider.respond(status, content=body, headers=headers)

    assert "RefreshOutcomeUnknown" == ground.run()
    ground.pass_seconds(HOUR_SECONDS)
    assert "RefreshOutcomeUnknown" == ground.run()
    assert 1 == provider.call_count


@pytest.mark.parametrize(
    ("status", "body", "headers", "ended", "sent"),
    [
        (429, PAGE, {}, "TokenEndpointUnavailable", 4),
        (503, BUSY, {"Retry-After": "1"}, "TokenEndpointUnavailable", 4),
        (200, PAGE, {}, "InvalidTokenResponse", 1),
        (204, b"", {}, "InvalidTokenResponse", 1),
        (307, b"", {"Location": "/elsewhere"}, "InvalidTokenResponse", 1),
        (403, PAGE, {}, "InvalidTokenResponse", 1),
        (400, b'{"error": "of_no_rfc"}', {}, "InvalidTokenResponse", 1),
        (400, b'{"error": "invalid_grant"}', {}, "ReauthorizationRequired", 1),
        (401, b'{"error": "invalid_client"}', {}, "ClientRejected", 1),
        (400, b'{"error": "unauthorized_client"}', {}, "ClientRejected", 1),
        (400, b'{"error": "invalid_scope"}', {}, "TokenRequestRejected", 1),
    ],
)
def test_status_and_body_say_how_a_run_ends(  # noqa: PLR0917 - a row of the table
    ground: Ground, provider: respx.Route, status: int, body: bytes, headers: dict[str, str], ended: str, sent: int
) -> None:
    """Each row of the protocol's table, and how many requests the run sent."""
    provider.respond(status, content=body, headers=headers)

    assert (ended, sent) == (ground.run(), provider.call_count)


def test_a_busy_provider_is_asked_again(ground: Ground) -> None:
    """A 503 of the provider's own redeemed nothing, and the next request of the same run brings tokens."""
    ground.endpoint.play(script.status(503, BUSY, headers={"Retry-After": "1"}))

    assert "refreshed" == ground.run()


@pytest.mark.parametrize("event", [{}, {"force": True}, {"source": "aws.events", "detail-type": "Scheduled Event"}])
def test_no_machine_overrides_an_unknown_outcome(ground: Ground, event: dict[str, Any]) -> None:
    """Whatever a schedule, a queue or a service's reader sends, a token of unknown outcome is not sent again."""
    lose(ground)

    for _ in range(3):
        ground.pass_seconds(600)
        assert "RefreshOutcomeUnknown" == ground.run(event)
    assert 1 == len(ground.endpoint.requests)


def test_naming_the_attempt_sends_its_token_again(ground: Ground) -> None:
    """A request that never reached the provider: the person who names the attempt gets new tokens at once."""
    ground.endpoint.play(script.close())
    assert "RefreshOutcomeUnknown" == ground.run()

    event = {"resend": named(ground)}

    assert ["refreshed", "fresh"] == [ground.run(event) for _ in range(2)]


def test_an_event_that_comes_three_times_redeems_once(ground: Ground) -> None:
    """The second delivery finds an attempt of unknown outcome that it doesn't name, and says which one it is."""
    ground.endpoint.play(script.close())
    assert "RefreshOutcomeUnknown" == ground.run()
    event = {"force": True, "resend": named(ground)}
    ground.endpoint.play(script.close(commit=True))

    assert ["RefreshOutcomeUnknown"] * 3 == [ground.run(event) for _ in range(3)]
    assert (1, 2) == (ground.redemptions, len(ground.endpoint.requests))
    assert event["resend"] != named(ground)


def test_a_fresh_token_of_unknown_outcome_is_sent_again_by_name_alone(ground: Ground) -> None:
    """A forced refresh of fresh tokens whose response was lost: naming it needs no force, and force does nothing."""
    ground.fresh(expiresAt=int((ground.store.now() + 24 * HOUR_SECONDS) * 1000))
    ground.endpoint.play(script.close())
    assert "RefreshOutcomeUnknown" == ground.run({"force": True})
    claim_id = named(ground)

    assert "fresh" == ground.run()
    assert "RefreshOutcomeUnknown" == ground.run({"force": True})
    assert "refreshed" == ground.run({"resend": claim_id})


def test_naming_another_attempt_overrides_nothing(ground: Ground) -> None:
    """An ID that is no attempt's, or that of an older one, leaves the run a scheduled one."""
    lose(ground)

    assert "RefreshOutcomeUnknown" == ground.run({"resend": "9d0f6a1e-5b0c-4f43-8a52-7c1f3f2f5e10"})
    assert 1 == len(ground.endpoint.requests)


def test_the_message_puts_what_risks_nothing_first(ground: Ground) -> None:
    """Waiting and authorizing come first; then the command that sends the token again, with its risk."""
    claim_id = lose(ground)
    later = str(ground.error), ground.run() and str(ground.error)

    for message in later:
        places = [
            message.index(text)
            for text in ("wait, or get a new grant with", "token-refresh authorize tokens", "revoke the grant, run")
        ]
        assert sorted(places) == places
        assert f"token-refresh refresh tokens --region eu-central-1 --resend {claim_id}" in message
        assert "--force" not in message


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("7200", [0, 120]),
        ("5", [0, 30, 60, 90, 120, 150]),
        ("999999", [0, 300]),
        ("Fri, 31 Dec 9999 23:59:59 GMT", [0, 300]),
    ],
)
def test_retry_after_is_remembered(ground: Ground, header: str, after: list[int]) -> None:
    """A run each half hour leaves the provider in peace as long as it asked, and at most until the last quarter."""
    ground.endpoint.play(*[script.status(429, {"error": "slow_down"}, headers={"Retry-After": header})] * 99)
    sent = []
    for minute in range(0, max(180, after[-1] + 1), 30):
        before = len(ground.endpoint.requests)
        ended = ground.run()
        if len(ground.endpoint.requests) > before:
            sent.append(minute)
        assert ended == ("TokenEndpointUnavailable" if minute in sent else "yielded")
        ground.pass_seconds(1802)

    assert after == sent
