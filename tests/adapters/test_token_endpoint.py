"""The HTTP adapter against a real server on loopback that misbehaves in every way that was seen in the wild."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from testbed.provider import script
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh import __version__
from token_refresh.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh.oauth.request import AuthMethod, refresh_request
from token_refresh.oauth.response import BODY_LIMIT_BYTES, Answer, Failure, Kind, TokenResponse
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as running:
        running.grant.authorize()
        yield running


def send(
    endpoint: TokenEndpoint,
    *scripts: Script,
    timeout_seconds: float = 5.0,
    method: AuthMethod = AuthMethod.POST,
    url: str | None = None,
) -> Answer:
    endpoint.play(*scripts)
    first: Any = endpoint.grant.authorize()
    client = ClientCredentials(client_id=endpoint.client_id, client_secret=SecretValue(endpoint.client_secret))
    request = refresh_request(SecretValue(first["refresh_token"]), client, method)
    return HttpTokenEndpoint(url or endpoint.url).send(request, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("method", [AuthMethod.POST, AuthMethod.BASIC])
def test_a_request_that_is_answered_with_tokens(endpoint: TokenEndpoint, method: AuthMethod) -> None:
    """A refresh over real HTTP: one request, one way to authenticate, a user agent of our own."""
    answer = send(endpoint, method=method)

    assert isinstance(answer, TokenResponse)
    assert timedelta(days=1) == answer.lifetime
    (seen,) = endpoint.requests
    expected = ("refresh_token", str(method), 200, f"token-refresh-worker/{__version__}")
    assert expected == (seen.grant_type, seen.client_authentication, seen.status, seen.user_agent)


LONGEST_ANSWER_SECONDS = 3.0
"""The dripping answer takes far longer than this; so does a silent server, whose time limit is the test's."""

BODY = b'{"access_token": "a"}'


@pytest.mark.parametrize(
    ("played", "kind"),
    [
        (script.html(200), Kind.UNREADABLE),
        (script.html(403), Kind.UNEXPECTED),
        (script.html(502), Kind.NO_ANSWER),
        (script.html(429), Kind.BUSY),
        (script.html(503), Kind.BUSY),
        (script.redirect("/elsewhere"), Kind.UNEXPECTED),
        (script.error("invalid_grant", description="canary"), Kind.GRANT_REJECTED),
        (script.error("invalid_client", http_status=401), Kind.CLIENT_REJECTED),
        (script.error("invalid_request"), Kind.REQUEST_REJECTED),
        (script.error("canary"), Kind.UNEXPECTED),
        (script.status(200, b""), Kind.UNREADABLE),
        (script.status(204), Kind.UNREADABLE),
        (script.gzipped(BODY), Kind.UNREADABLE),
        (script.gzipped(b"\0" * 10_000_000), Kind.UNREADABLE),
        (script.status(200, b" " * BODY_LIMIT_BYTES + BODY), Kind.UNREADABLE),
        (script.status(400, b" " * BODY_LIMIT_BYTES + BODY), Kind.UNEXPECTED),
        (script.truncated(), Kind.NO_ANSWER),
        (script.raw(b"HTTP/1.1 400 Bad\r\nContent-Length: 999\r\n\r\n{"), Kind.UNEXPECTED),
        (script.raw(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 999\r\n\r\n"), Kind.BUSY),
        (script.raw(b"SSH-2.0-OpenSSH\r\n"), Kind.NO_ANSWER),
        (script.close(), Kind.NO_ANSWER),
    ],
)
def test_what_is_seen_decides(endpoint: TokenEndpoint, played: Script, kind: Kind) -> None:
    """Each kind of answer, or of none, is told apart as the protocol's table has it, and quotes nothing."""
    answer = send(endpoint, played)

    assert isinstance(answer, Failure)
    assert kind is answer.kind
    assert "canary" not in repr(answer)


def test_a_body_of_just_the_limit_is_read(endpoint: TokenEndpoint) -> None:
    """64 KiB are read, and one byte more is not."""
    padding = b" " * (BODY_LIMIT_BYTES - len(BODY))

    assert isinstance(send(endpoint, script.status(200, padding + BODY)), TokenResponse)
    assert isinstance(send(endpoint, script.status(200, b" " + padding + BODY)), Failure)


@pytest.mark.parametrize("played", [script.hang(), script.drip(0.05)])
def test_the_time_limit_holds_end_to_end(endpoint: TokenEndpoint, played: Script) -> None:
    """A server that is silent, or that drips its answer byte by byte, is left at the time limit."""
    began = time.monotonic()

    answer = send(endpoint, played, timeout_seconds=0.3)

    assert isinstance(answer, Failure)
    assert Kind.NO_ANSWER is answer.kind
    assert time.monotonic() - began < LONGEST_ANSWER_SECONDS


def test_each_step_of_an_exchange_may_take_as_long_as_the_whole(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own time limits, five seconds unless told otherwise, cut no answer short that there is time for."""
    limits: list[dict[str, float]] = []
    handle = httpx.HTTPTransport.handle_request

    def seen(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"])
        return handle(transport, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", seen)

    send(endpoint, timeout_seconds=60.0)

    assert [dict.fromkeys(("connect", "read", "write", "pool"), 60.0)] == limits


def test_a_refusal_that_drips_is_a_refusal(endpoint: TokenEndpoint) -> None:
    """The status of a 4xx holds, whatever becomes of its body."""
    head = b"HTTP/1.1 400 Bad\r\nContent-Length: 9999\r\n\r\n"

    answer = send(endpoint, Script(answer=head, hang=True), timeout_seconds=0.5)

    assert isinstance(answer, Failure)
    assert Kind.UNEXPECTED is answer.kind


def test_nobody_listening_means_not_sent(endpoint: TokenEndpoint) -> None:
    """Without a connection the request was not sent."""
    answer = send(endpoint, url="http://127.0.0.1:1/token")

    assert Failure(kind=Kind.NOT_SENT, seen="ConnectError") == answer


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold every name lookup until the event is set, or the test is over."""
    held, look_up = threading.Event(), socket.getaddrinfo

    def getaddrinfo(*arguments: Any, **options: Any) -> Any:
        held.wait()
        return look_up(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield held
    held.set()


def exchanges() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "token-request"]


def test_what_was_reported_as_not_sent_is_never_sent(endpoint: TokenEndpoint, lookup: threading.Event) -> None:
    """A name lookup that outlasts the time limit: nothing was sent, and nothing is when the lookup ends after all."""
    answer = send(endpoint, timeout_seconds=0.1)

    (left,) = exchanges()
    lookup.set()
    left.join()
    assert Failure(kind=Kind.NOT_SENT, seen="TimeoutError") == answer
    assert [] == endpoint.requests


def test_an_exchange_that_is_left_halfway_ends_there(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the head of a request was sent at the time limit, it may have arrived; its body, the token, never does."""
    held, send_bytes = threading.Event(), socket.socket.send

    def send_and_wait(sending: socket.socket, *arguments: Any) -> int:
        sent = send_bytes(sending, *arguments)
        if threading.current_thread().name == "token-request":
            held.wait()
        return sent

    monkeypatch.setattr(socket.socket, "send", send_and_wait)

    answer = send(endpoint, timeout_seconds=0.3)

    (left,) = exchanges()
    held.set()
    left.join()
    assert Failure(kind=Kind.NO_ANSWER, seen="TimeoutError") == answer
    assert {seen.grant_type for seen in endpoint.requests} <= {""}


def test_an_exchange_that_was_left_keeps_no_process_alive(endpoint: TokenEndpoint, lookup: threading.Event) -> None:
    """The thread of an exchange that was left behind is no reason for Python to stay."""
    send(endpoint, timeout_seconds=0.1)

    daemons = [thread.daemon for thread in exchanges()]
    lookup.set()
    assert [True] == daemons


def test_a_defect_is_raised_where_the_answer_is_waited_for(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What nobody expected in the exchange's thread is the caller's to report; the thread prints nothing."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(httpx.Client, "send", fail)

    with pytest.raises(ZeroDivisionError):
        send(endpoint)
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), (" 0 ", 0), ("soon", None), ("", None), ("-1", None), ("9" * 30, None), ("1.5", None)],
)
def test_retry_after_in_seconds(endpoint: TokenEndpoint, header: str, seconds: int | None) -> None:
    """`Retry-After` is read as whole seconds, and ignored where it says nothing usable."""
    answer = send(endpoint, script.status(429, headers={"Retry-After": header}))

    assert isinstance(answer, Failure)
    assert (None if seconds is None else timedelta(seconds=seconds)) == answer.retry_after


def test_retry_after_as_a_date(endpoint: TokenEndpoint) -> None:
    """`Retry-After` may be a date; one that has passed means now."""
    future, past = (format_datetime(datetime.now(UTC) + timedelta(hours=h), usegmt=True) for h in (1, -1))

    later = send(endpoint, script.status(503, headers={"Retry-After": future}))
    now = send(endpoint, script.status(503, headers={"Retry-After": past}))
    without_zone = send(endpoint, script.status(503, headers={"Retry-After": "Tue, 24 Nov 2026 12:00:00"}))

    assert isinstance(later, Failure)
    assert isinstance(now, Failure)
    assert isinstance(without_zone, Failure)
    assert later.retry_after is not None
    assert timedelta(minutes=59) < later.retry_after <= timedelta(hours=1)
    assert (timedelta(0), None) == (now.retry_after, without_zone.retry_after)
