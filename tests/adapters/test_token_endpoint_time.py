"""The time limit of a token request: it holds end to end, and what is left behind sends nothing more."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from adapters.endpoints import CLIENT, requests_under_way, send
from adapters.stopwatch import Stopwatch, count_from_sending, stand_still
from testbed.provider import script
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters import time_limit, token_endpoint
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.request import refresh_request
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse

GUARD_SECONDS = 60.0
"""So that a bug fails a test instead of hanging it; nothing is measured."""


@pytest.fixture(autouse=True)
def no_request_is_left() -> Iterator[None]:
    """Wait for the threads that a test left behind: the next test looks for its own."""
    yield
    for left in requests_under_way():
        left.join(GUARD_SECONDS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    return stand_still(monkeypatch)


@pytest.mark.parametrize("played", [script.hang(), script.drip(0.05)])
def test_the_time_limit_holds_end_to_end(
    endpoint: TokenEndpoint, played: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is silent, or that drips a good response byte by byte, is left at the time limit."""
    count_from_sending(monkeypatch)

    response = send(endpoint, played, timeout_seconds=0.3)

    assert isinstance(response, FailedRequest)
    assert FailureKind.NO_RESPONSE is response.kind


def test_a_suspended_process_reads_what_has_arrived(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z, or a closed lid: tokens that arrive while the process stands still are read, though no time is left."""
    suspended, now, receive = threading.Event(), time_limit._now, socket.socket.recv  # noqa: SLF001 - the clock itself

    def receive_part(receiving: socket.socket, size: int) -> bytes:
        received = receive(receiving, min(size, 64))
        suspended.set()
        return received

    monkeypatch.setattr(time_limit, "_now", lambda: now() + 3600 * suspended.is_set())
    monkeypatch.setattr(socket.socket, "recv", receive_part)

    response = send(endpoint)

    assert isinstance(response, TokenResponse)
    assert suspended.is_set()


def test_tokens_that_arrive_at_the_time_limit_are_tokens(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request's thread may come to its response a moment after the one that waits for it has woken."""
    count_from_sending(monkeypatch)
    woken, now, receive = threading.Event(), time_limit._now, socket.socket.recv  # noqa: SLF001 - the clock itself

    def is_request() -> bool:
        return threading.current_thread().name == "token-request"

    def look() -> float:
        if not is_request() and now() >= 0.2:
            woken.set()
        return now()

    def receive_late(receiving: socket.socket, size: int) -> bytes:
        if is_request():
            woken.wait()
            receiving.settimeout(GUARD_SECONDS)
        return receive(receiving, size)

    monkeypatch.setattr(time_limit, "_now", look)
    monkeypatch.setattr(socket.socket, "recv", receive_late)
    monkeypatch.setattr(token_endpoint, "SPARE_SECONDS", GUARD_SECONDS)

    response = send(endpoint, timeout_seconds=0.2)

    assert isinstance(response, TokenResponse)


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch, clock: Stopwatch) -> Iterator[threading.Event]:
    """Hold every name lookup until the event is set, or the test is over; time passes from then on."""
    held, look_up = threading.Event(), socket.getaddrinfo

    def getaddrinfo(*arguments: Any, **options: Any) -> Any:
        clock.start()
        held.wait()
        return look_up(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield held
    held.set()


def test_what_was_reported_as_not_sent_is_never_sent(endpoint: TokenEndpoint, lookup: threading.Event) -> None:
    """A name lookup that outlasts the time limit: nothing was sent, and nothing is when the lookup ends after all.

    Python ends although the thread of the request that was left behind still runs.
    """
    response = send(endpoint, timeout_seconds=0.1)

    (left,) = requests_under_way()
    assert left.daemon
    lookup.set()
    left.join()
    assert FailedRequest(kind=FailureKind.NOT_SENT, seen="TimeoutError") == response
    assert [] == endpoint.requests


@pytest.fixture
def silent_first(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the endpoint a name with two addresses; the first one drops packets, since its backlog is full."""
    _, _, port = endpoint.address.partition(":")
    monkeypatch.setattr(time_limit, "addresses_of", lambda _: ("127.0.0.2", "127.0.0.1"))
    with ExitStack() as opened:
        listening, *waiting = (opened.enter_context(socket.socket()) for _ in range(9))
        listening.bind(("127.0.0.2", int(port)))
        listening.listen(0)
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.2", int(port)))
        yield endpoint.url.replace("127.0.0.1", "localhost")


def test_an_address_that_drops_packets_leaves_time_for_the_next(
    endpoint: TokenEndpoint, silent_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with two addresses, of which the first is dead: the second brings the tokens."""
    monkeypatch.setattr(time_limit, "CONNECT_SECONDS", 4.0)

    assert isinstance(send(endpoint, url=silent_first), TokenResponse)


def test_an_address_that_refuses_leaves_time_for_the_next(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address at which nothing listens, such as one of IPv6 on a machine without it, costs nothing."""
    monkeypatch.setattr(time_limit, "addresses_of", lambda _: ("::1", "127.0.0.1"))

    assert isinstance(send(endpoint, url=endpoint.url.replace("127.0.0.1", "localhost")), TokenResponse)


def test_a_connection_that_hangs_is_given_up_early(
    endpoint: TokenEndpoint, lookup: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a single-use provider a request has all the time of its run, and one that was not sent can be repeated."""
    monkeypatch.setattr(time_limit, "CONNECT_SECONDS", 0.1)

    response = send(endpoint, timeout_seconds=3600.0)

    (left,) = requests_under_way()
    lookup.set()
    left.join()
    assert FailedRequest(kind=FailureKind.NOT_SENT, seen="TimeoutError") == response
    assert [] == endpoint.requests


def test_a_request_that_is_left_halfway_ends_there(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, clock: Stopwatch
) -> None:
    """Where the head of a request was sent at the time limit, it may have arrived; its body, the token, never does."""
    held, send_bytes = threading.Event(), socket.socket.send

    def send_and_wait(sending: socket.socket, *arguments: Any) -> int:
        sent = send_bytes(sending, *arguments)
        if threading.current_thread().name == "token-request":
            clock.start()
            held.wait()
        return sent

    monkeypatch.setattr(socket.socket, "send", send_and_wait)
    monkeypatch.setattr(token_endpoint, "SPARE_SECONDS", 0.0)

    response = send(endpoint, timeout_seconds=0.3)

    (left,) = requests_under_way()
    held.set()
    left.join()
    assert FailedRequest(kind=FailureKind.NO_RESPONSE, seen="TimeoutError") == response
    assert {seen.grant_type for seen in endpoint.requests} <= {""}


def test_an_abandoned_request_stops_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of 1xx responses has no end; the request ends with its time limit, and the server sees that."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    count_from_sending(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def flood() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    while True:
                        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100)
                except OSError:
                    ended.set()

        server = threading.Thread(target=flood)
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/token"

        found = HttpTokenEndpoint(url).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=0.3)
        assert isinstance(found, FailedRequest)
        assert FailureKind.NO_RESPONSE is found.kind
        assert ended.wait(GUARD_SECONDS)
        server.join()
        for left in requests_under_way():
            left.join(GUARD_SECONDS)
        assert [] == requests_under_way()
