"""Lambda's Runtime API on loopback: what a function's runtime client polls for events and reports to.

The protocol is Lambda's, version 2018-06-01: `GET invocation/next` waits for an event, `POST invocation/ID/response` or
`.../error` ends it, `POST init/error` says that the handler could not even be loaded. One function process polls one
such server; `testbed.aws_lambda.function` runs the process.
"""

import json
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from testbed.loopback import LoopbackHandler, LoopbackServer

_PREFIX = "/2018-06-01/runtime/"
_FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:token-refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event on its way to the function."""

    body: bytes
    request_id: str
    deadline_epoch_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationResult:
    """What the function made of an event: what it returned, or the error that it reported."""

    payload: Any = None
    error_type: str | None = None
    error_message: str | None = None


class RuntimeApi(LoopbackServer):
    """Hand events to one runtime client and collect its results."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[InvocationResult] = queue.SimpleQueue()
        self.initialized = threading.Event()
        """Set once the client asks for its first event, or reports that it never will."""

    def send(self, event: object, *, request_id: str, deadline_seconds: float) -> None:
        """Give `event` to the client that polls, now or as soon as it does."""
        deadline_epoch_ms = round((time.time() + deadline_seconds) * 1000)
        body = json.dumps(event).encode()
        self.events.put(Event(body=body, request_id=request_id, deadline_epoch_ms=deadline_epoch_ms))

    def server_close(self) -> None:
        """Let a client go that still waits for an event."""
        self.events.put(None)
        super().server_close()


class _Handler(LoopbackHandler):
    server: RuntimeApi

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        self.server.initialized.set()
        event = self.server.events.get()
        if event is None:
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(event.deadline_epoch_ms),
            "Lambda-Runtime-Invoked-Function-Arn": _FUNCTION_ARN,
        }
        self.respond(200, event.body, headers)

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        body = json.loads(self.read_body() or b"null")
        self.respond(202, b'{"status":"OK"}')
        what = self.path.removeprefix(_PREFIX).rsplit("/", 1)[-1]
        if what == "error":
            result = InvocationResult(error_type=body["errorType"], error_message=body["errorMessage"])
        else:
            result = InvocationResult(payload=body)
        self.server.initialized.set()
        self.server.results.put(result)
