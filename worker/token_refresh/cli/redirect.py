"""Wait for the provider's redirect on loopback (RFC 8252 section 7.3), and show the browser how it ended."""

import socket
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import SplitResult, urlsplit

from token_refresh.cli import page
from token_refresh.cli.authorization import Authorization, ForeignRedirect
from token_refresh.cli.failures import CommandFailed
from token_refresh.errors import TokenRefreshError
from token_refresh.providers.endpoint import is_loopback
from token_refresh.secret_value import SecretValue

_CONNECTION_SECONDS: Final = 1.0
"""A browser opens connections that it never uses; one such must not hold up the redirect."""


def can_listen(redirect_uri: str) -> bool:
    """Whether a redirect URI leads to this machine."""
    parts = urlsplit(redirect_uri)
    return parts.scheme == "http" and parts.hostname is not None and is_loopback(parts.hostname)


class RedirectServer(HTTPServer):
    """Listens where the redirect URI says, from when it is made."""

    allow_reuse_address = True

    def __init__(self, authorization: Authorization, complete: Callable[[SecretValue], str]) -> None:
        """Listen.

        Args:
            authorization: Whose redirect is waited for.
            complete: Exchanges the code and stores the tokens; gives the page to show.

        Raises:
            CommandFailed: The port is taken, or may not be used.
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
                f"can't listen at {_shown(where)} ({error.strerror}); end what does, or use --paste"
            ) from None

    def wait(self, timeout_seconds: float) -> None:
        """Serve until the authorization has come to an end.

        Raises:
            TokenRefreshError: It failed, or did not come in time.
        """
        until = time.monotonic() + timeout_seconds
        while not self.completed and self.failure is None:
            self.timeout = until - time.monotonic()
            if self.timeout <= 0:
                raise CommandFailed(f"no authorization came within {timeout_seconds:.0f} s; run it again when ready")
            self.handle_request()
        if self.failure is not None:
            raise self.failure

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave a connection that broke alone, since the browser makes another; anything else is a defect of ours."""
        del request, client_address
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            raise error


class _Handler(BaseHTTPRequestHandler):
    server: RedirectServer
    timeout = _CONNECTION_SECONDS

    def do_GET(self) -> None:
        if urlsplit(self.path).path != self.server.path:
            self._show(404, page.foreign())  # Such as a browser's request for an icon.
            return
        try:
            code = self.server.authorization.read_redirect(self.path)
            shown = self.server.complete(code)
        except ForeignRedirect:
            self._show(400, page.foreign())
        except TokenRefreshError as failure:
            self.server.failure = failure
            self._show(400, page.failed())
        else:
            self.server.completed = True
            self._show(200, shown)

    def _show(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response_only(status)
        for name, value in {**page.HEADERS, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the class that calls it
        """Say nothing: the request line holds the authorization code."""


def _shown(where: SplitResult) -> str:
    return f"{where.hostname}:{where.port or 80}"
