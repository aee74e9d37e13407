"""A faithful Secrets Manager on this machine: HTTP for boto3, atomic calls, and faults on demand.

In process:

    with SecretsManagerServer() as server:
        client = server.client()
        fault = server.fault("drop_after", "PutSecretValue")

As a process of its own, which prints {"url": ...} and listens until it is told to stop:

    python -m testbed.secrets_manager.server --port 0

Either way, faults, clock and call log are also at `POST URL/_control`; `testbed.secrets_manager.control` is a client
for it.
"""

import argparse
import base64
import json
import re
import signal
import socket
import sys
import threading
import uuid
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from testbed.secrets_manager.endpoint import SecretsEndpoint
from testbed.secrets_manager.limits import ServiceError
from testbed.secrets_manager.service import SecretsService

if TYPE_CHECKING:
    from testbed.secrets_manager.faults import Fault

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/secretsmanager/aws4_request")
_LONGEST_BODY_BYTES = 1 << 20


class SecretsManagerServer(SecretsService, SecretsEndpoint):
    """The service on a port of 127.0.0.1; `port` 0 takes a free one. Other arguments: see `SecretsService`."""

    def __init__(self, *, port: int = 0, **service: Any) -> None:
        super().__init__(**service)
        self._http = _Http(port, self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="secrets-manager")

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the calls that are held, and cut all connections."""
        self._http.shutdown()
        self._thread.join()
        self.faults.clear()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Return the endpoint, for `endpoint_url`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, service: SecretsService) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service
        self.faults_by_number: dict[int, Fault] = {}
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in tuple(self._connections):  # those that clients keep alive: their threads wait for more
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # a client that was killed is no error

    def control(self, command: str, **options: Any) -> dict[str, Any]:
        """Carry out a command of the control path; its words are those of `testbed.secrets_manager.control`."""
        service = self.service
        match command:
            case "fault":
                number = len(self.faults_by_number) + 1
                self.faults_by_number[number] = service.fault(**options)
                return {"fault": number}
            case "wait":
                self.faults_by_number[options["fault"]].wait(options["timeout_seconds"])
            case "release":
                self.faults_by_number[options["fault"]].release(apply=options["apply"])
            case "clear":
                service.faults.clear()
            case "clock":
                service.clock_offset_seconds = float(options["offset_seconds"])
            case "calls":
                return {"calls": [call.as_json() for call in service.calls[options.get("since", 0) :]]}
            case _:
                raise ValueError(f"no such command: {command}")
        return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a response leaves in one piece
    server: _Http

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if length > _LONGEST_BODY_BYTES:
            self._answer(413, {"__type": "RequestEntityTooLarge"})
            self.close_connection = True
            return
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._answer(400, {"__type": "SerializationException"})
        elif self.path == "/_control":
            self._control(body)
        else:
            self._operation(body)

    def _operation(self, body: dict[str, Any]) -> None:
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        operation = self.headers.get("X-Amz-Target", "").removeprefix("secretsmanager.")
        if scope is None:
            self._answer(
                400, {"__type": "MissingAuthenticationTokenException", "Message": "Missing Authentication Token"}
            )
            return
        if "SecretBinary" in body:
            body["SecretBinary"] = base64.b64decode(body["SecretBinary"])
        try:
            response = self.server.service.handle(operation, body, region=scope[2], access_key_id=scope[1])
        except ServiceError as error:
            self._answer(error.status, {"__type": error.code, "Message": error.message})
            return
        if response is None:
            self.close_connection = True  # without a word
        else:
            self._answer(200, response)

    def _control(self, body: dict[str, Any]) -> None:
        try:
            self._answer(200, self.server.control(**body))
        except (KeyError, TimeoutError, TypeError, ValueError) as error:
            self._answer(409, {"error": f"{type(error).__name__}: {error}"})

    def _answer(self, status: int, response: dict[str, Any]) -> None:
        content = json.dumps(response, default=lambda value: base64.b64encode(value).decode()).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(self.server.service.now() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the call log has it."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m testbed.secrets_manager.server", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--region", default="eu-central-1")
    options = parser.parse_args()
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    with SecretsManagerServer(port=options.port, region=options.region) as server:
        print(json.dumps({"url": server.url}), flush=True)
        signal.sigwait(stop)


if __name__ == "__main__":
    main()
