"""HTTP servers on loopback, in threads of this process: what all servers of the testbed have in common."""

import contextlib
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Self


class LoopbackServer(socketserver.ThreadingTCPServer):
    """Listen on 127.0.0.1 for as long as the `with` block lasts; one thread a connection."""

    allow_reuse_address = True
    daemon_threads = True  # a connection that hangs by order must not keep the process alive
    request_queue_size = 128  # dozens of processes connect at the same instant

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._connections: set[socket.socket] = set()
        self._defect: BaseException | None = None

    @property
    def address(self) -> str:
        """Host and port, as in `127.0.0.1:40123`."""
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop serving, and cut the connections that clients keep alive."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.server_close()
        if self._defect:
            raise self._defect

    def serve_forever(self, poll_interval: float = 0.0) -> None:
        """Accept connections until the socket is shut down: nothing looks twice a second, or spins while it stops."""
        del poll_interval
        with contextlib.suppress(OSError):
            while True:
                with contextlib.suppress(ConnectionAbortedError):  # the client went away before
                    self.process_request(*self.get_request())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note a connection, and serve it in a thread."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the port, then every connection."""
        super().server_close()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away; its test knows. Anything else is a defect of the testbed: its test fails."""
        del request, client_address
        if not isinstance(error := sys.exception(), ConnectionError):
            self._defect = error


class LoopbackHandler(BaseHTTPRequestHandler):
    """Respond to requests at once and without a line on standard error."""

    # Head and body are written apart: with Nagle's algorithm, the body waits 40 ms for the client's delayed ACK.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the class that calls it
        """Print nothing: requests are counted instead."""

    def read_body(self) -> bytes:
        """Read the request's body, whose length the client must have named; a client that was killed sends less."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError
        return body

    def respond(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send a whole response; JSON unless the headers say otherwise."""
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
