"""What the HTTP adapter makes of responses: respx plays those of a status and a body, a real server all others."""

import gzip
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import httpx
import pytest
import respx

from adapters.endpoints import BODY, CLIENT, ask, send
from testbed.fakes import FakeClock
from testbed.provider import script
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh import __version__
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters import time_limit, token_endpoint
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint, read_body
from token_refresh_worker.oauth.formats import AuthMethod, Encoding, Matcher, ResponseFormat
from token_refresh_worker.oauth.request import refresh_request
from token_refresh_worker.oauth.response import BODY_LIMIT_BYTES, FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.oauth.unread import read_unread


@pytest.mark.parametrize("method", [AuthMethod.POST, AuthMethod.BASIC])
def test_a_request_that_gets_tokens(endpoint: TokenEndpoint, method: AuthMethod) -> None:
    """A refresh over real HTTP: one request, one way to authenticate, a user agent of our own."""
    response = send(endpoint, method=method)

    assert isinstance(response, TokenResponse)
    assert timedelta(days=1) == response.lifetime
    (seen,) = endpoint.requests
    expected = ("refresh_token", str(method), 200, f"token-refresh-worker/{__version__}")
    assert expected == (seen.grant_type, seen.client_authentication, seen.status, seen.user_agent)


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (204, b"", {}, FailureKind.UNREADABLE),
        (503, b'{"error": "busy"}', {"Retry-After": "3"}, FailureKind.BUSY),
        (307, b"", {"Location": "/other"}, FailureKind.UNEXPECTED),
        (400, b'{"error": "invalid_grant", "error_description": "canary"}', {}, FailureKind.GRANT_REJECTED),
        (200, BODY, {"Content-Encoding": "br"}, FailureKind.UNREADABLE),
        (200, BODY.rjust(BODY_LIMIT_BYTES + 1), {}, FailureKind.UNREADABLE),
        (400, b" " * BODY_LIMIT_BYTES + BODY, {}, FailureKind.UNEXPECTED),
    ],
)
def test_status_and_body_decide(
    provider: respx.Route, status: int, body: bytes, headers: dict[str, str], kind: FailureKind
) -> None:
    """They are read as tests/oauth/test_response.py has it, from a body that is not too long; no text quotes them."""
    provider.respond(status, content=body, headers=headers)

    found = ask()

    assert isinstance(found, FailedRequest)
    assert kind is found.kind
    assert "canary" not in repr(found)
    assert 1 == provider.call_count


@pytest.mark.parametrize(
    ("played", "kind"),
    [
        (script.gzipped(b"\0" * 10_000_000), FailureKind.UNREADABLE),
        (script.truncated(), FailureKind.NO_RESPONSE),
        (script.raw(b"HTTP/1.1 400 Bad\r\nContent-Length: 999\r\n\r\n{"), FailureKind.UNEXPECTED),
        (script.raw(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 999\r\n\r\n"), FailureKind.BUSY),
        (script.raw(b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 999\r\n\r\n{"), FailureKind.NO_RESPONSE),
        (
            script.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(BODY)[:20]),
            FailureKind.NO_RESPONSE,
        ),
        (script.raw(b"SSH-2.0-OpenSSH\r\n"), FailureKind.NO_RESPONSE),
        (script.close(), FailureKind.NO_RESPONSE),
    ],
)
def test_what_breaks_off_decides(endpoint: TokenEndpoint, played: Script, kind: FailureKind) -> None:
    """A response that breaks off, never comes, or unpacks to too much gives the kind that the protocol names."""
    response = send(endpoint, played)

    assert isinstance(response, FailedRequest)
    assert kind is response.kind


def test_tokens_that_have_arrived_need_no_end_of_the_transfer(endpoint: TokenEndpoint) -> None:
    """A complete JSON object holds its tokens, also where the server keeps the connection open."""
    played = Script(response=b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + BODY, hang=True)

    response = send(endpoint, played, timeout_seconds=0.5)

    assert isinstance(response, TokenResponse)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(gzip.compress(BODY)),
        gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]),
        gzip.compress(BODY)[:-8] + bytes(8),
    ],
    ids=["twice", "in two parts", "damaged"],
)
def test_a_body_that_stays_compressed_is_not_read(endpoint: TokenEndpoint, body: bytes) -> None:
    """Where a provider says with a 4xx that a token may be redeemed, one that nobody can read may say so."""
    endpoint.play(script.status(400, body, headers={"Content-Encoding": "gzip"}))
    form = ResponseFormat(unknown=(Matcher(status=None, fields={"code": "half"}),))

    found = HttpTokenEndpoint(endpoint.url, form).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=60.0)

    assert isinstance(found, FailedRequest)
    assert FailureKind.UNREADABLE is found.kind


def test_half_of_a_form_is_no_response(endpoint: TokenEndpoint) -> None:
    """Where a form breaks off, its last token may lack its end."""
    endpoint.play(script.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\naccess_token=a&refresh_token=b"))
    form = ResponseFormat(encoding=Encoding.FORM)

    found = HttpTokenEndpoint(endpoint.url, form).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=5.0)

    assert isinstance(found, FailedRequest)
    assert FailureKind.NO_RESPONSE is found.kind


def test_a_refusal_that_drips_is_a_refusal(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of a 4xx holds, whatever becomes of its body."""
    head = b"HTTP/1.1 400 Bad\r\nContent-Length: 9999\r\n\r\n"
    clock = FakeClock()
    monkeypatch.setattr(time_limit, "_now", clock.monotonic)

    def read(response: httpx.Response) -> bytes | None:
        clock.sleep(60.0)
        return read_body(response)

    monkeypatch.setattr(token_endpoint, "read_body", read)

    response = send(endpoint, Script(response=head, hang=True), timeout_seconds=60.0)

    assert isinstance(response, FailedRequest)
    assert FailureKind.UNEXPECTED is response.kind


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: a\x00b\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n",
        b"HTTP/1.1 500 Odd\r\n",
    ],
)
def test_what_cannot_be_read_is_given_byte_for_byte(endpoint: TokenEndpoint, head: bytes) -> None:
    """Also where the HTTP library refuses the head, and nothing of the request before it."""
    response = head + b'\r\n{"data":{"accessToken":"a","refreshToken":"r"}}'

    found = send(endpoint, script.raw(response))

    assert isinstance(found, FailedRequest)
    assert found.unread is not None
    assert response == read_unread(found.unread)


def test_an_error_in_text_says_not_sent_before_the_request_alone(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that can't be encoded is met before the request. The same error behind it leaves the outcome open."""

    def read(_: httpx.Response) -> bytes | None:
        raise UnicodeError

    monkeypatch.setattr(token_endpoint, "read_body", read)

    response = send(endpoint)

    assert FailedRequest(kind=FailureKind.NO_RESPONSE, seen="UnicodeError") == response


def test_a_defect_is_raised_where_the_response_is_waited_for(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A defect in the request's thread is raised in the caller's; the thread prints nothing."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", fail)

    with pytest.raises(ZeroDivisionError):
        send(endpoint)
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), (" 0 ", 0), ("soon", None), ("", None), ("-1", None), ("9" * 30, None), ("1.5", None)],
)
def test_retry_after_in_seconds(provider: respx.Route, header: str, seconds: int | None) -> None:
    """`Retry-After` is read as whole seconds, and ignored where it says nothing usable."""
    provider.respond(429, headers={"Retry-After": header})

    response = ask()

    assert isinstance(response, FailedRequest)
    assert (None if seconds is None else timedelta(seconds=seconds)) == response.retry_after


@pytest.mark.parametrize(
    "header",
    [
        "Tue, 24 Nov 99999999999999999999 12:00:00 GMT",
        "Tue, 24 Nov 2026 99999999999999999999:00:00 GMT",
        "Tue, 24 Nov 2026 12:00:00 -99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "9" * 5000,
    ],
)
def test_an_odd_retry_after_costs_no_tokens(provider: respx.Route, header: str) -> None:
    """Tokens that arrive with a header which no calendar holds are tokens all the same."""
    provider.respond(content=BODY, headers={"Retry-After": header})

    assert isinstance(ask(), TokenResponse)


def test_retry_after_as_a_date(provider: respx.Route) -> None:
    """`Retry-After` may be a date; one that has passed means now."""
    future, past = (format_datetime(datetime.now(UTC) + timedelta(hours=h), usegmt=True) for h in (1, -1))
    asked = []
    for header in (future, past, "Tue, 24 Nov 2026 12:00:00"):
        provider.respond(503, headers={"Retry-After": header})
        found = ask()
        assert isinstance(found, FailedRequest)
        asked.append(found.retry_after)

    later, now, without_zone = asked

    assert later is not None
    assert timedelta(minutes=59) < later <= timedelta(hours=1)
    assert (timedelta(0), None) == (now, without_zone)


def test_an_url_that_no_client_can_use_sends_nothing() -> None:
    """A host that can't be encoded is a failure before the request, not a defect."""
    request = refresh_request(SecretValue("r"), CLIENT)

    failure = HttpTokenEndpoint("https://xn--/token").send(request, timeout_seconds=60.0)

    assert isinstance(failure, FailedRequest)
    assert FailureKind.NOT_SENT is failure.kind
