"""HTTP servers on loopback, in threads of this process: what the rig's own servers have in common."""

from __future__ import annotations

import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self


class LoopbackServer(socketserver.ThreadingTCPServer):
    """Listen on a free port of 127.0.0.1 for as long as the `with` block lasts; one thread a connection."""

    allow_reuse_address = True
    daemon_threads = True  # a connection that hangs by order must not keep the process alive
    request_queue_size = 128  # dozens of processes connect at the same instant

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        # The poll is what a closing server waits for: short, since tests open and close hundreds.
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        """Host and port, as in `127.0.0.1:40123`."""
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        """Serve from now on."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop serving; connections that hang by order end with the process."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about a client that went away; its test knows. Anything else is a defect of the rig."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class LoopbackHandler(BaseHTTPRequestHandler):
    """Answer one request a connection, at once and without a line on standard error."""

    # Head and body are written apart: with Nagle's algorithm, the body waits 40 ms for the client's delayed ACK.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the class that calls it
        """Say nothing: what was asked is counted, not printed."""

    def read_body(self) -> bytes:
        """Read the request's body, whose length the client must have named."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send a whole response; JSON unless the headers say otherwise."""
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
