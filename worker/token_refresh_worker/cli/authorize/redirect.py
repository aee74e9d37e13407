"""Wait for the provider's redirect on loopback (RFC 8252 section 7.3), and tell the browser how it ended."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import urlsplit

import typer

from token_refresh.errors import TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.cli.authorize import page
from token_refresh_worker.cli.authorize.authorization import AuthorizationRequest, ForeignRedirect
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.providers.endpoint import is_loopback

_CONNECTION_SECONDS: Final = 1.0
"""How long one connection may take to send its request. A browser opens connections that it never uses, and anyone on
this machine may send a byte a second; neither may delay the redirect."""


def can_listen(redirect_uri: str) -> bool:
    """Whether a redirect URI leads to this machine.

    Raises:
        BadParameter: It is not a URI.
    """
    try:
        parts = urlsplit(redirect_uri)
        is_uri = bool(parts.scheme) and parts.port != 0  # `port` raises if it is not a port.
    except ValueError:
        is_uri = False
    if not is_uri:
        raise typer.BadParameter("--redirect-uri must be a URI, exactly as registered: http://127.0.0.1:8765/callback")
    return parts.scheme == "http" and parts.hostname is not None and is_loopback(parts.hostname)


class RedirectServer(HTTPServer):
    """Listens at the redirect URI as soon as it is made."""

    allow_reuse_address = True  # A second authorize may follow within the minute that the old port lingers.

    def __init__(self, authorization: AuthorizationRequest, complete: Callable[[SecretValue], str]) -> None:
        """Listen.

        Args:
            authorization: The authorization whose redirect is expected.
            complete: Exchanges the code and stores the tokens; gives the page for the browser.

        Raises:
            CommandFailed: The port is in use, or may not be used.
        """
        self.authorization = authorization
        self.complete = complete
        self.completed = False
        self.failure: TokenRefreshError | None = None
        where = urlsplit(authorization.redirect_uri)
        self.path = where.path or "/"
        if where.hostname == "::1":
            self.address_family = socket.AF_INET6
        try:
            super().__init__((where.hostname or "", where.port or 80), _Handler)
        except OSError as error:
            raise CommandFailed(
                f"can't listen at {where.hostname}:{where.port or 80} ({error.strerror})",
                fix="stop the program that does, or use --paste",
            ) from None

    def wait(self, timeout_seconds: float) -> None:
        """Serve until the authorization has succeeded or failed.

        Raises:
            TokenRefreshError: It failed, or no redirect came in time.
        """
        until = time.monotonic() + timeout_seconds
        while not self.completed and self.failure is None:
            # Per request: each stray one (an icon, a scanner) would otherwise restart the wait.
            self.timeout = until - time.monotonic()
            if self.timeout <= 0:
                raise CommandFailed(f"no redirect came within {timeout_seconds:.0f} s; run authorize again")
            self.handle_request()
        if self.failure is not None:
            raise self.failure

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a broken connection, since the browser makes another; any other error is a defect of this program."""
        del request, client_address
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            raise error


class _Handler(BaseHTTPRequestHandler):
    server: RedirectServer
    timeout = _CONNECTION_SECONDS

    def setup(self) -> None:
        super().setup()
        # The timeout of the socket is for each read; this one is for the whole request.
        self._deadline = threading.Timer(_CONNECTION_SECONDS, _end, [self.connection])
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:
        # The whole request is here; the exchange may take longer than a connection may.
        self._deadline.cancel()
        try:
            path = urlsplit(self.path).path
        except ValueError:
            self._show(400, page.FOREIGN)
            return
        if path != self.server.path:
            self._show(404, page.FOREIGN)  # Such as a browser's request for an icon.
            return
        try:
            code = self.server.authorization.read_redirect(self.path)
            text = self.server.complete(code)
        except ForeignRedirect:
            self._show(400, page.FOREIGN)
        except TokenRefreshError as failure:
            self.server.failure = failure
            self._show(400, page.FAILED)
        else:
            self.server.completed = True
            self._show(200, text)

    def _show(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response_only(status)  # Without the header that names Python's version.
        for name, value in {**page.HEADERS, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the class that calls it
        """Log nothing: the request line holds the authorization code."""


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
