"""The handler between services whose responses and stored versions a test chooses; made once for many runs."""

import contextlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from secrecy.canaries import leaks
from testbed.testbed import CLAIM_TABLE, TOKENS, Testbed
from testbed.worker import LambdaContext
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.handlers import refresh

Change = Callable[[str, Any], Any]
"""Is given an operation and its response, and gives what the client gets instead; None cuts the connection."""


class Ground(Testbed):
    """A testbed at a single-use provider, on a clock that a run need not wait for. `fresh` begins anew."""

    def __init__(self, *, table: bool = False, published: bool = False) -> None:
        super().__init__(table=table, published=published)
        self._expires_in_seconds = 3600  # in the last quarter of the window nothing is held
        self.change: Change = lambda _, response: response
        self.slept_seconds = 0.0
        self.printed = ""
        self.error: TokenRefreshError | None = None
        for service in (self.store, self.table):
            if service:
                self._intercept(service)

    def fresh(self) -> None:
        """Forget everything, and store a due token set."""
        self.change = lambda _, response: response
        self.begin_anew()
        self.store.calls.clear()
        self.endpoint.requests.clear()

    def put(self, text: str, *, version_id: str | None = None, label: str = "AWSCURRENT") -> None:
        """Store a version of the token secret."""
        request = {
            "SecretId": TOKENS,
            "ClientRequestToken": version_id or str(uuid.uuid4()),
            "SecretString": text,
            "VersionStages": [label],
        }
        self.store.call("PutSecretValue", request)

    def end(self, event: object = None) -> str:
        """Run the handler; give the outcome or the name of the error. What it printed is in `printed`."""
        self.error = None
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(SystemClock, "monotonic", self._monotonic),
            mock.patch.object(SystemClock, "sleep", self._sleep),
            contextlib.redirect_stdout(io.StringIO()) as printed,
        ):
            try:
                ended = str(refresh({} if event is None else event, LambdaContext("r-1", 60.0))["outcome"])
            except TokenRefreshError as error:
                self.error, ended = error, type(error).__name__
        self.printed = printed.getvalue()
        return ended

    @property
    def last_lines(self) -> list[dict[str, Any]]:
        """The lines that say how the run ended; there must be exactly one."""
        lines = map(json.loads, self.printed.splitlines())
        return [line for line in lines if line["event"].startswith("token_refresh_f")]

    @property
    def values(self) -> str:
        """All that is stored in the token secret."""
        return "\n".join(str(version.value) for version in self.secret.versions)

    @property
    def claimed(self) -> bool:
        """Whether a claim is stored, in either place."""
        items = self.table.tables[CLAIM_TABLE].values() if self.table else ()
        return '"nonce"' in self.values or any("claim_id" in item for item in items)

    @property
    def redemptions(self) -> int:
        return self.endpoint.grant.redemptions

    def leaking(self, planted: Mapping[str, str]) -> list[str]:
        """Name the planted secrets of which log or error show a part."""
        return leaks(f"{self.printed}\n{self.error!r}", planted)

    def _monotonic(self) -> float:
        return time.monotonic() + self.slept_seconds

    def _sleep(self, seconds: float) -> None:
        """Let time pass for the run and for the services, without waiting."""
        self.slept_seconds += seconds
        self.pass_seconds(seconds)

    def _intercept(self, service: Any) -> None:
        handle = service.handle

        def changed(operation: str, request: Any, **call: Any) -> Any:
            return self.change(operation, handle(operation, request, **call))

        service.handle = changed
