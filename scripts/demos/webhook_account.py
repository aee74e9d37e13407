"""What the demo of webhooks runs on: Secrets Manager, a queue, and the router behind a function URL."""

import contextlib
import http.client
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from testbed.aws_lambda.function import Function
from testbed.aws_lambda.function_url import FunctionUrl
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.webhooks.signing import HEADERS, KINDS, SIGNATURE_HEADER, standard
from token_refresh.webhooks import SENDERS

HANDLER = "webhook_router.handler"
_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request as it leaves its sender."""

    kind: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the sender got, and what the receiver logged about it."""

    what: str
    status: int
    headers: Mapping[str, str]
    body: str
    line: Mapping[str, Any]
    """The receiver's log line; empty if there was none."""


class WebhookAccount:
    """An AWS account with a receiver in it, while its `with` block lasts."""

    def __init__(self, handler: str = HANDLER) -> None:
        self._handler = handler
        self._started = contextlib.ExitStack()
        self.store, self.queue = SecretsManagerServer(), SqsServer()
        self.signing = {kind: _new_secret() for kind in KINDS}
        """The secret that each provider signs with."""
        self.unspeakable: set[str] = set(self.signing.values())
        """Secrets, signatures and bodies: what must be printed nowhere."""
        self.printed: list[str] = []
        """Every line that the function printed."""

    def __enter__(self) -> Self:
        """Start the servers, store the signing secrets, and start the function."""
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.store)
            starting.enter_context(self.queue)
            for kind in KINDS:
                self.store.call("CreateSecret", {"Name": f"{kind}-signing", **_version(self.signing[kind])})
            described = Function(self._environment(), handler=self._handler, task_root=_EXAMPLES)
            function = starting.enter_context(described)
            self._url = starting.enter_context(FunctionUrl(function))
            self._started = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End everything that was started."""
        self._started.close()

    def sign(self, kind: str, *, secret: str | None = None, seconds_ago: int = 0, **fields: object) -> Sent:
        """Make a delivery with a body that no other one has."""
        body = json.dumps({"id": f"evt_{secrets.token_hex(6)}", "note": f"body-{secrets.token_hex(16)}"} | fields)
        key, at = secret or self.signing[kind], int(time.time()) - seconds_ago
        if kind == "standard":
            headers = standard(body.encode(), key, at, f"msg_{secrets.token_hex(8)}")
        else:
            headers = HEADERS[kind](body.encode(), key, at)
        self.unspeakable.add(body.partition("body-")[2][:32])
        self.unspeakable.add(headers[SIGNATURE_HEADER[kind]][-24:])
        return Sent(kind=kind, headers=headers, body=body.encode())

    def post(self, what: str, sent: Sent, *twice: str) -> Outcome:
        """Send a request over HTTP; headers that are named come twice."""
        connection = http.client.HTTPConnection(self._url.endpoint.removeprefix("http://"))
        try:
            connection.putrequest("POST", f"/webhooks/{sent.kind}")
            for name, value in {"Content-Length": str(len(sent.body)), **sent.headers}.items():
                for _ in range(2 if name in twice else 1):
                    connection.putheader(name, value)
            connection.endheaders(sent.body)
            response = connection.getresponse()
            headers, body = dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()
        return Outcome(what=what, status=response.status, headers=headers, body=body, line=self._line())

    def store_secret(self, kind: str, *, hours_ago: float = 0) -> str:
        """Store a new signing secret, as of so long ago, and give the one that it replaces."""
        previous, self.signing[kind] = self.signing[kind], _new_secret()
        self.unspeakable.add(self.signing[kind])
        self.store.clock_offset_seconds = -3600 * hours_ago
        self.store.call("PutSecretValue", {"SecretId": f"{kind}-signing", **_version(self.signing[kind])})
        self.store.clock_offset_seconds = 0
        return previous

    @property
    def reads(self) -> int:
        """Count the reads of secrets that reached the store."""
        return len(self.store.calls)

    @property
    def queued(self) -> int:
        """Count the messages that the queue has taken."""
        return len(self.queue.messages)

    def _environment(self) -> dict[str, str]:
        settings = {SENDERS[kind].variable: f"{kind}-signing" for kind in KINDS}
        logs = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        queue = {"WEBHOOK_QUEUE_URL": self.queue.queue_url}
        return self.store.environment | self.queue.environment | settings | logs | queue

    def _line(self) -> Mapping[str, Any]:
        """Find the receiver's line among what the function printed last."""
        printed = self._url.invocations[-1].logs
        self.printed += printed
        lines = [json.loads(text) for text in printed if text.startswith("{")]
        return next((line for line in reversed(lines) if line.get("event") == "webhook"), {})


def _new_secret() -> str:
    return "whsec_" + secrets.token_hex(16)  # as raw characters and as base64 a secret


def _version(value: str) -> dict[str, str]:
    return {"SecretString": value, "ClientRequestToken": str(uuid.uuid4())}
