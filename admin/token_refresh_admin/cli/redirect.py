"""Wait for the provider's redirect on loopback (RFC 8252 section 7.3), and tell the browser how it ended."""

import contextlib
import errno
import os
import re
import secrets
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import typer

from token_refresh.errors import TokenRefreshError
from token_refresh_admin.changes.authorization_request import AuthorizationRequest, ForeignRedirect, Redirect
from token_refresh_admin.cli import browser
from token_refresh_admin.cli.failures import CommandFailed
from token_refresh_worker.providers.endpoint import is_loopback
from token_refresh_worker.providers.redirect import Loopback

_CONNECTION_SECONDS: Final = 1.0
"""How long one connection may take to send its request. A browser opens connections that it never uses, and anyone on
this machine may send a byte a second."""
_MOST_CONNECTIONS: Final = 128
"""How many wait for their request at once; one more ends the oldest, so none can keep the redirect out. Some machines
let a process have 256 open files."""
_LONGEST_HEAD_BYTES: Final = 65_536
_GET: Final = re.compile(rb"GET (\S+) HTTP/1\.[01]\r?\n")
_HEAD_ENDS: Final = re.compile(rb"\r?\n\r?\n")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_NO_SUCH_STACK: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_LOOK_UP: Final = "=IHHIIBBxxI4s16s16sIII"
_DIAG, _REQUEST, _BY_FAMILY, _ANY = 4, 1, 20, 0xFFFF_FFFF
"""Linux's NETLINK_SOCK_DIAG, NLM_F_REQUEST, SOCK_DIAG_BY_FAMILY, and what stands for all states or no cookie."""


DEFAULT_REDIRECT_URI: Final = "http://127.0.0.1:8765/callback"


def default_redirect_uri(loopback: Loopback | None) -> str | None:
    """Return the redirect URI that a provider accepts on this machine; None where it accepts none."""
    if loopback in {Loopback.NONE, Loopback.NAME}:
        return None
    return "http://localhost:8765/callback" if loopback is Loopback.LOCALHOST else DEFAULT_REDIRECT_URI


def can_listen(redirect_uri: str, loopback: Loopback | None = None) -> bool:
    """Whether a redirect URI leads to this machine."""
    if loopback is Loopback.NAME and _NAME.fullmatch(redirect_uri):
        return False
    try:
        parts = urlsplit(redirect_uri)
        is_uri = bool(parts.scheme) and parts.port != 0  # `port` raises if it is not a port.
    except ValueError:
        is_uri = False
    if not is_uri:
        raise typer.BadParameter("--redirect-uri must be a URI, exactly as registered: http://127.0.0.1:8765/callback")
    return parts.scheme == "http" and parts.hostname is not None and is_loopback(parts.hostname)


@dataclass(slots=True, kw_only=True)
class _Visit:
    """A connection, and what it has sent so far."""

    connection: socket.socket
    ends_at: float
    head: bytearray = field(default_factory=bytearray)


class RedirectServer(contextlib.AbstractContextManager["RedirectServer"]):
    """Listens at the redirect URI as soon as it is made."""

    def __init__(self, authorization: AuthorizationRequest, complete: Callable[[Redirect], str]) -> None:
        """Listen. `complete` exchanges the code and stores the tokens, and gives the page for the browser."""
        self._authorization, self._complete = authorization, complete
        where = urlsplit(authorization.redirect_uri)
        self._path = where.path or "/"
        self._start = f"/{secrets.token_urlsafe(32)}"
        self.start_url = f"http://{where.netloc}{self._start}"
        """Where the browser begins: it is sent on to the provider, once."""
        self._started = False
        self._visits: dict[socket.socket, _Visit] = {}  # the oldest first
        self._completed = False
        self._selector = selectors.DefaultSelector()
        self._listeners = _listen(where.hostname or "", where.port or 80)
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ)

    def __exit__(self, *_: object) -> None:
        """Close all connections and stop listening."""
        for connection in list(self._visits):
            self._end(connection)
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def wait(self, timeout_seconds: float) -> None:
        """Serve until the authorization has succeeded or failed.

        All connections are read at once, in this thread: none waits for another, and Ctrl-C still ends it.
        """
        until = time.monotonic() + timeout_seconds
        while not self._completed:
            now = time.monotonic()
            if now >= until:
                again = self._authorization.again
                raise CommandFailed(f"no redirect came within {timeout_seconds:.0f} s", fix=again)
            for visit in [visit for visit in self._visits.values() if visit.ends_at <= now]:
                self._end(visit.connection)
            oldest = next(iter(self._visits.values()), None)
            for key, _ in self._selector.select(min(until, oldest.ends_at if oldest else until) - now):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)  # noqa: S101 - only sockets are registered
                if connection in self._listeners:
                    self._accept(connection)
                elif not self._completed:  # The redirect may come twice; a code that is used twice costs its tokens.
                    self._read(self._visits[connection])
            while len(self._visits) > _MOST_CONNECTIONS:
                self._end(next(iter(self._visits)))

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:  # It is gone already.
            return
        connection.setblocking(False)
        self._visits[connection] = _Visit(connection=connection, ends_at=time.monotonic() + _CONNECTION_SECONDS)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, visit: _Visit) -> None:
        try:
            received = visit.connection.recv(_LONGEST_HEAD_BYTES)
        except OSError:  # The browser makes another connection where one breaks.
            received = b""
        visit.head += received
        if not received or len(visit.head) > _LONGEST_HEAD_BYTES:
            self._end(visit.connection)
        elif _HEAD_ENDS.search(visit.head):
            try:
                self._respond(visit)
            finally:
                self._end(visit.connection)

    def _respond(self, visit: _Visit) -> None:
        if _is_strangers(visit.connection):
            _show(visit.connection, HTTPStatus.FORBIDDEN, browser.STRANGER)
            return
        try:
            if (request := _GET.match(visit.head)) and request[1] == self._start.encode():
                if self._started:
                    raise CommandFailed(
                        "the page that leads to the provider was opened twice, perhaps by another user of this machine",
                        fix=(*self._authorization.again, ". With --no-browser, you open the printed URL yourself"),
                    )
                self._started = True
                _show(visit.connection, HTTPStatus.FOUND, "", Location=self._authorization.url)
                return
            status, text = self._take(visit.head)
        except TokenRefreshError:
            _show(visit.connection, HTTPStatus.BAD_REQUEST, browser.FAILED)
            raise
        _show(visit.connection, status, text)

    def _take(self, head: bytearray) -> tuple[HTTPStatus, str]:
        request = _GET.match(head)
        try:
            target = request[1].decode("ascii") if request else ""
            path = urlsplit(target).path
        except ValueError:
            return HTTPStatus.BAD_REQUEST, browser.FOREIGN
        if request and path != self._path:
            return HTTPStatus.NOT_FOUND, browser.FOREIGN  # Such as a browser's request for an icon.
        try:
            text = self._complete(self._authorization.read_redirect(target))
        except ForeignRedirect:
            return HTTPStatus.BAD_REQUEST, browser.FOREIGN
        self._completed = True
        return HTTPStatus.OK, text

    def _end(self, connection: socket.socket) -> None:
        del self._visits[connection]
        self._selector.unregister(connection)
        connection.close()


def _listen(host: str, port: int) -> list[socket.socket]:
    """Listen at a loopback host; at `localhost`, on both stacks.

    A browser may take either. Where only one of them is ours, another user of this machine takes the code at the other.
    """
    with contextlib.ExitStack() as opened:
        listeners = []
        for address in ("127.0.0.1", "::1") if host == "localhost" else (host,):
            try:
                listeners.append(opened.enter_context(_listener(address, port)))
            except OSError as error:
                # Where this machine doesn't have the stack, nobody else can listen on it.
                if address == "::1" and host == "localhost" and error.errno in _NO_SUCH_STACK:
                    continue
                raise CommandFailed(
                    f"can't listen at {address}:{port} ({error.strerror})",
                    fix="stop the program that listens there, or use --paste",
                ) from None
        opened.pop_all()
    return listeners


def _listener(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        # A second authorize may follow within the minute that the old port lingers.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((address, port))
        listener.listen(_MOST_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener


def _is_strangers(connection: socket.socket) -> bool:
    """Whether another user of this machine has the other end, as far as the system tells.

    Who called sudo is no stranger, and root can do everything anyway. Where the system tells no owner, as on macOS or
    behind a relay of a virtual machine, nobody knows.
    """
    try:
        owner = _owner(connection)
        connection.getpeername()  # Of who left while the system looked, it knows no owner either.
    except OSError:  # It has gone, and nobody waits for a response.
        return True
    return owner not in {None, "0", str(os.getuid()), os.environ.get("SUDO_UID")}


def _owner(connection: socket.socket) -> str | None:
    """Return the ID of the user who has the other end, `gone` where nobody has it, None where nothing tells.

    Linux looks up this one connection (sock_diag(7)). Its tables in /proc list all of them: another user who opens
    thousands would hold up the redirect.
    """
    its, ours = connection.getpeername(), connection.getsockname()
    ports = struct.pack("!HH", its[1], ours[1])
    hosts = (socket.inet_pton(connection.family, end[0]) for end in (its, ours))
    # struct nlmsghdr, and struct inet_diag_req_v2: TCP in any state, at any interface, without a cookie.
    head = (struct.calcsize(_LOOK_UP), _BY_FAMILY, _REQUEST, 0, 0)
    body = (connection.family, socket.IPPROTO_TCP, _ANY, ports, *hosts, 0, _ANY, _ANY)
    with (
        contextlib.suppress(OSError, AttributeError),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _DIAG) as linux,
    ):
        linux.settimeout(_CONNECTION_SECONDS)
        linux.sendall(struct.pack(_LOOK_UP, *head, *body))
        found = linux.recv(_LONGEST_HEAD_BYTES)
        if struct.unpack_from("=H", found, 4)[0] == _BY_FAMILY:  # else an error: it is not in this system's tables
            uid, inode = struct.unpack_from("=II", found, 80)
            return str(uid) if inode else "gone"  # Without an inode, the user may be said to be root.
    return None


def _show(connection: socket.socket, status: HTTPStatus, text: str, **more: str) -> None:
    body = text.encode()
    headers = {**browser.PAGE_HEADERS, **more, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    with contextlib.suppress(OSError):  # The browser may be gone: that ends no authorization.
        connection.settimeout(_CONNECTION_SECONDS)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        connection.shutdown(socket.SHUT_WR)
