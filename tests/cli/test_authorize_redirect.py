"""`authorize`: the wait for the browser's redirect, at a port of this machine."""

import errno
import os
import random
import re
import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cli.authorizing import Authorize, consent, redirected, stored
from cli.scene import Cli
from testbed.fakes import FakeClock
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes.authorization_request import AuthorizationRequest, Redirect
from token_refresh_admin.cli import redirect
from token_refresh_admin.cli.failures import CommandFailed
from token_refresh_admin.cli.redirect import RedirectServer
from token_refresh_worker.stored.credentials import ClientCredentials


def test_foreign_visits(authorize: Authorize, store: SecretsManagerServer) -> None:
    """Visits that are forged, malformed, without a code or at another path change nothing, and the waiting goes on."""
    ended, pages = authorize(
        visits=[
            lambda url: redirected(url, state="forged", code="stolen"),
            redirected,
            lambda url: redirected(url).replace("/callback", "/favicon.ico"),
            lambda url: redirected(url, state="ü", code="[") + "&x=http://[",
            consent,
        ]
    )

    assert 0 == ended.code
    assert [400, 400, 404, 400, 200] == [page.status_code for page in pages]
    assert "Not the expected redirect" in pages[0].text
    assert stored(store)["accessToken"]


def test_the_page_that_leads_to_the_provider(
    cli: Cli, client_file: Path, free_port: int, monkeypatch: pytest.MonkeyPatch, store: SecretsManagerServer
) -> None:
    """The command line of the browser says nothing of the authorization, and a second visitor ends it."""
    redirect_uri = f"http://127.0.0.1:{free_port}/callback"
    visits: list[httpx.Response] = []

    @contextmanager
    def opened(url: str, **_: object) -> Iterator[None]:
        assert re.fullmatch(rf"http://127\.0\.0\.1:{free_port}/[\w-]{{43}}", url)
        visitor = Thread(target=lambda: visits.extend(httpx.get(url, trust_env=False) for _ in range(2)))
        visitor.start()
        try:
            yield
        finally:
            visitor.join()

    monkeypatch.setattr("token_refresh_admin.cli.authorize.opened", opened)

    ended = cli("authorize", f"--client-file={client_file}", f"--redirect-uri={redirect_uri}", "--yes")

    assert 2 == ended.code
    assert "was opened twice, perhaps by another user of this machine" in ended.screen
    assert [302, 400] == [visit.status_code for visit in visits]
    assert "no-referrer" == visits[0].headers["Referrer-Policy"]
    assert "state=" in visits[0].headers["Location"]
    assert store.secrets.find("upwork-oauth-tokens") is None


def test_port_taken(cli: Cli, client_file: Path, endpoint: TokenEndpoint) -> None:
    """A port that is taken is an error before anything is asked of the provider."""
    ended = cli(
        "authorize", f"--client-file={client_file}", f"--redirect-uri=http://{endpoint.address}/callback", "--yes"
    )

    assert 2 == ended.code
    assert f"can't listen at {endpoint.address}" in ended.screen
    assert "client_id=" not in ended.screen, "no address to authorize at was printed"


def test_ipv6(cli: Cli, client_file: Path, free_port: int) -> None:
    """The loopback address may be IPv6's."""
    redirect = f"--redirect-uri=http://[::1]:{free_port}"

    ended = cli("authorize", f"--client-file={client_file}", redirect, "--no-browser", "--timeout=1", "--yes")

    assert 2 == ended.code
    assert f"redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%3A{free_port}" in ended.err
    assert "no redirect came within 1 s" in ended.screen


WAIT_SECONDS = 2.0
GUARD_SECONDS = 60.0
"""So that a bug fails a test instead of hanging it; nothing is measured."""
SOURCE = random.Random(17)  # noqa: S311 - inputs of a test, not secrets


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The redirect server's time, which passes only when a test says so."""
    made = FakeClock()
    monkeypatch.setattr(redirect, "time", made)
    return made


def _end(clock: FakeClock, port: int, thread: Thread) -> None:
    """Let the server's time pass, and wait for its end; a connection wakes it."""
    clock.sleep(WAIT_SECONDS)
    with suppress(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=GUARD_SECONDS).close()
    thread.join()


@dataclass
class Listening:
    """A redirect server that waits for two seconds in a thread, and how the wait ended."""

    port: int
    start: bytes
    redirect: bytes
    codes: list[str]
    ended: list[BaseException]
    end: Callable[[], None]


@contextmanager
def _listening(port: int, clock: FakeClock, host: str = "127.0.0.1") -> Iterator[Listening]:
    authorization = AuthorizationRequest(
        endpoint="https://example.com/authorize",
        client=ClientCredentials(client_id="me", client_secret=None),
        redirect_uri=f"http://{host}:{port}/callback",
        scope=None,
        pkce=True,
    )

    def request(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\n\r\n".encode()

    def complete(redirect: Redirect) -> str:
        found.codes.append(redirect.code.reveal())
        return "done"

    with RedirectServer(authorization, complete) as server:
        found = Listening(
            port=port,
            start=request(urlsplit(server.start_url).path),
            redirect=request(f"/callback?code=the-code&state={authorization.state}"),
            codes=[],
            ended=[],
            end=lambda: _end(clock, port, thread),
        )

        def wait() -> None:
            try:
                server.wait(WAIT_SECONDS)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                found.ended.append(error)

        thread = Thread(target=wait)
        thread.start()
        try:
            yield found
        finally:
            found.end()


@contextmanager
def idle(port: int, number: int) -> Iterator[list[socket.socket]]:
    """Connections that never send anything."""
    with ExitStack() as opened:
        yield [
            opened.enter_context(closing(socket.create_connection(("127.0.0.1", port), timeout=GUARD_SECONDS)))
            for _ in range(number)
        ]


def send(port: int, request: bytes, *, host: str = "127.0.0.1", source: str = "") -> bytes:
    with closing(socket.create_connection((host, port), GUARD_SECONDS, (source, 0))) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except (ConnectionResetError, BrokenPipeError):
            return b""


STRANGER = 65_534
on_linux = pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="Linux alone tells whose a connection is")


@contextmanager
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connect as another user: root can become one, anybody else lets the server take itself for one."""
    if os.getuid():
        with monkeypatch.context() as patch:
            patch.setattr("os.getuid", lambda: STRANGER)
            yield
        return
    os.seteuid(STRANGER)
    try:
        yield
    finally:
        os.seteuid(0)


@on_linux
@pytest.mark.parametrize(
    ("host", "source"), [("127.0.0.1", ""), ("127.0.0.1", "127.0.0.2"), ("::1", ""), ("::ffff:127.0.0.1", "")]
)
def test_another_user_takes_no_part(
    listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, host: str, source: str
) -> None:
    """Whoever reads the browser's command line and isn't the operator neither begins nor ends an authorization."""
    with listening("localhost") as waiting:
        with stranger(monkeypatch):
            for request in (waiting.start, waiting.redirect, waiting.start):
                shown = send(waiting.port, request, host=host, source=source)
                assert b" 403 " in shown.split(b"\r\n")[0]
                assert b"--paste" in shown
                assert b"state=" not in shown
        assert [] == waiting.codes
        assert b" 302 " in send(waiting.port, waiting.start, host=host, source=source)
        assert b" 200 " in send(waiting.port, waiting.redirect, host=host, source=source)
    assert (["the-code"], []) == (waiting.codes, waiting.ended)


def test_who_called_sudo(listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser of somebody who runs the command with sudo is the operator's own."""
    monkeypatch.setenv("SUDO_UID", str(os.getuid() or STRANGER))
    with listening() as waiting, stranger(monkeypatch):
        assert b" 200 " in send(waiting.port, waiting.redirect)


@pytest.mark.parametrize(
    ("name", "value"), [("_DIAG", 99), ("_ANY", 1)], ids=["no such question", "no such connection"]
)
def test_a_system_that_does_not_tell(
    listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    """Where nothing tells the user of a connection anybody may come, as through the relay of a virtual machine."""
    monkeypatch.setattr(redirect, name, value)
    monkeypatch.setenv("SUDO_UID", "4711")
    with listening() as waiting, stranger(monkeypatch):
        assert b" 302 " in send(waiting.port, waiting.start)
        assert b" 200 " in send(waiting.port, waiting.redirect)


@on_linux
@pytest.mark.parametrize("resets", [False, True])
def test_a_visitor_who_leaves(listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, *, resets: bool) -> None:
    """Who sends a request and leaves before the server looks whose it was, or while it does, uses up nothing."""
    owner, left = redirect._owner, Event()  # noqa: SLF001

    def leaves(end: socket.socket) -> str | None:
        if not left.is_set():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", resets, 0))
            connection.close()
            select.select([end], [], [], GUARD_SECONDS)  # its end has arrived
            left.set()
        return None if resets else owner(end)  # no user has what is gone

    monkeypatch.setattr(redirect, "_owner", leaves)
    with listening() as waiting:
        connection = socket.create_connection(("127.0.0.1", waiting.port), timeout=GUARD_SECONDS)
        connection.sendall(waiting.start)
        assert left.wait(GUARD_SECONDS)
        assert b" 302 " in send(waiting.port, waiting.start)
        assert b" 200 " in send(waiting.port, waiting.redirect)


@on_linux
def test_a_crowd_of_connections(listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose a visit is costs the same however many connections the machine has: no table of all is read."""
    monkeypatch.setattr(Path, "read_text", pytest.fail)
    monkeypatch.setattr("builtins.open", pytest.fail)
    with listening() as waiting:
        assert b" 302 " in send(waiting.port, waiting.start)


def mutated() -> bytes:
    request = bytearray(b"GET /callback?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    for _ in range(SOURCE.randrange(1, 8)):
        at = SOURCE.randrange(len(request))
        request[at : at + SOURCE.randrange(3)] = SOURCE.randbytes(SOURCE.randrange(4))
    return bytes(request)


def test_malformed_requests(listening: Callable[..., Any]) -> None:
    """No request ends the wait: it ends by its own time limit, and a malformed request line gets 400."""
    with listening() as waiting:
        assert b" 400 " in send(waiting.port, b"GET http://[ HTTP/1.1\r\n\r\n").split(b"\r\n")[0]
        assert b" 400 " in send(waiting.port, b"GET /callback?state=%ff&code=] HTTP/1.1\r\n\r\n").split(b"\r\n")[0]
        for _ in range(300):
            send(waiting.port, mutated())

        assert ([], []) == (waiting.ended, waiting.codes)
        waiting.end()
    assert [CommandFailed] == [type(error) for error in waiting.ended]
    assert "no redirect came within 2 s" in str(waiting.ended[0])


def test_a_byte_at_a_time(listening: Callable[..., Any], clock: FakeClock) -> None:
    """A connection has one deadline for its whole request, so that a byte now and then can't hold the port."""
    with listening() as waiting, idle(waiting.port, 1) as (connection,):
        for _ in range(3):
            connection.sendall(b"G")
            assert b" 404 " in send(waiting.port, b"GET / HTTP/1.1\r\n\r\n"), "the byte before it was read, too"
            clock.sleep(0.4)
        assert b" 404 " in send(waiting.port, b"GET / HTTP/1.1\r\n\r\n")
        assert b"" == connection.recv(1)
        assert [] == waiting.ended
        waiting.end()
    assert [CommandFailed] == [type(error) for error in waiting.ended]


@pytest.fixture
def listening(free_port: int, clock: FakeClock) -> Callable[..., Any]:
    """Makes a redirect server that takes any code, and lets it wait in a thread."""
    return partial(_listening, free_port, clock)


def test_strangers_do_not_delay_the_redirect(listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a visitor who left before, nor a request without end, a reset, or 200 connections that send nothing."""
    accept, gone = socket.socket.accept, [BlockingIOError()]

    def accepted(listener: socket.socket) -> Any:
        if gone:
            raise gone.pop()
        return accept(listener)

    with listening() as waiting:
        monkeypatch.setattr(socket.socket, "accept", accepted)
        with closing(socket.create_connection(("127.0.0.1", waiting.port))) as endless:
            with suppress(ConnectionError):
                endless.sendall(b"GET /" + b"x" * 100_000)
            assert [endless] == select.select([endless], [], [], GUARD_SECONDS)[0], "its connection was ended"
        with closing(socket.create_connection(("127.0.0.1", waiting.port))) as broken:
            broken.sendall(b"GET /")
            broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
        with idle(waiting.port, 200):
            assert b" 200 " in send(waiting.port, waiting.redirect)
    assert (["the-code"], []) == (waiting.codes, waiting.ended)


def test_one_connection_too_many_ends_the_oldest(
    listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many connections others hold, the newest is read: the oldest makes room."""
    monkeypatch.setattr(redirect, "_MOST_CONNECTIONS", 3)
    with listening() as waiting, idle(waiting.port, 5) as others:
        assert b" 200 " in send(waiting.port, waiting.redirect)
        for ended in others[:3]:
            assert b"" == ended.recv(1)


def test_a_redirect_that_comes_twice_is_taken_once(
    listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two redirects that arrive together one is taken: a provider revokes the tokens of a code used twice."""
    read, reads, goes_on = RedirectServer._read, Event(), Event()  # noqa: SLF001 - both must arrive while it is busy

    def read_later(server: RedirectServer, visit: Any) -> None:
        reads.set()
        goes_on.wait()
        read(server, visit)

    with listening() as waiting, idle(waiting.port, 3) as (first, second, other):
        assert b" 404 " in send(waiting.port, b"GET / HTTP/1.1\r\n\r\n"), "it has taken the three before"
        monkeypatch.setattr(RedirectServer, "_read", read_later)
        other.sendall(b"G")
        reads.wait()
        for connection in (first, second):
            connection.sendall(waiting.redirect)
        goes_on.set()
        answered, _, _ = select.select([first, second], [], [], GUARD_SECONDS)
        assert b" 200 " in answered[0].recv(65_536)

    assert ["the-code"] == waiting.codes
    assert [] == waiting.ended


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_localhost_is_taken_on_both_stacks(
    listening: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, *, has_ipv6: bool
) -> None:
    """A browser finds `authorize` at `localhost`, whichever stack it takes; where there is no IPv6, IPv4 is enough."""
    bind = socket.socket.bind

    def bound(listener: socket.socket, address: Any) -> None:
        if address[0] == "::1" and not has_ipv6:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        bind(listener, address)

    monkeypatch.setattr(socket.socket, "bind", bound)
    with listening("localhost") as waiting:
        if has_ipv6:
            assert b" 404 " in send(waiting.port, b"GET / HTTP/1.1\r\n\r\n", host="::1")
        assert b" 200 " in send(waiting.port, waiting.redirect)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_half_of_localhost_is_refused(listening: Callable[..., Any], free_port: int, address: str) -> None:
    """Where another program has one of the stacks, the browser could take the code to it: nothing begins."""
    with closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as other:
        other.bind((address, free_port))
        other.listen()
        with (
            pytest.raises(CommandFailed, match=re.escape(f"can't listen at {address}:{free_port}")),
            listening("localhost"),
        ):
            pass  # pragma: no cover - it is refused before
