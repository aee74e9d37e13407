"""A gate in front of Secrets Manager: every call passes through it, is counted, and can be held at its reply.

A worker whose reply is held has changed the store and doesn't know it yet. That is the very moment to kill it at, and
no sleeping finds it.
"""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from testbed.loopback import LoopbackHandler, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable

# Both belong to one connection, and the gate has another on each side (RFC 9110 section 7.6.1).
_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, without any value of a secret."""

    action: str
    """As in `PutSecretValue`."""
    secret_id: str
    labels: tuple[str, ...]
    """Those that a put gives, or the one that is moved or read by."""


class Gate(LoopbackServer):
    """Pass calls on to `upstream`, for as long as the `with` block lasts."""

    def __init__(self, upstream: str) -> None:
        super().__init__(_Handler)
        self.upstream = urlsplit(upstream).netloc
        self.calls: list[Call] = []
        """What was called, in order."""
        self._hold: Callable[[Call], bool] | None = None
        self._lock = threading.Lock()
        self._held = threading.Event()
        self._released = threading.Event()

    @property
    def url(self) -> str:
        """What `AWS_ENDPOINT_URL_SECRETS_MANAGER` is set to."""
        return f"http://{self.address}"

    def hold_reply(self, to: Callable[[Call], bool]) -> None:
        """Carry out the first call from now on that fits, and keep its reply back."""
        self._held.clear()
        self._released.clear()
        self._hold = to

    def wait_until_held(self, *, unless: Callable[[], bool]) -> bool:
        """Wait until a reply is held; False where `unless` came true instead, since the caller ended before."""
        while not self._held.wait(0.05):
            if unless():
                return self._held.is_set()
        return True

    def release(self) -> None:
        """Hold nothing any more; the reply that was held goes out, if anybody is there to take it."""
        self._hold = None
        self._released.set()

    def server_close(self) -> None:
        """Let go of a reply that is still held."""
        self.release()
        super().server_close()

    def record(self, call: Call) -> bool:
        """Count a call, and tell whether its reply is to be held."""
        with self._lock:
            self.calls.append(call)
            if self._hold is None or not self._hold(call):
                return False
            self._hold = None
            return True

    def hold(self) -> None:
        """Say that a reply is held, and wait until it is released."""
        self._held.set()
        self._released.wait()


class _Handler(LoopbackHandler):
    server: Gate

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        """Pass one call on and its reply back."""
        body = self.read_body()
        held = self.server.record(_read_call(self.headers.get("X-Amz-Target", ""), json.loads(body or b"{}")))
        upstream = http.client.HTTPConnection(self.server.upstream)
        try:
            upstream.request("POST", self.path, body, dict(self.headers))
            reply = upstream.getresponse()
            content = reply.read()
        finally:
            upstream.close()
        if held:
            self.server.hold()
        headers = {name: value for name, value in reply.getheaders() if name.lower() not in _HOP_BY_HOP}
        self.answer(reply.status, content, headers)


def _read_call(target: str, body: dict[str, Any]) -> Call:
    one_label = body.get("VersionStage")
    return Call(
        action=target.rpartition(".")[2],
        secret_id=body.get("SecretId", ""),
        labels=tuple(body.get("VersionStages", [one_label] if one_label else [])),
    )
