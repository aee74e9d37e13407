"""The handler between services whose responses and stored versions a test chooses; made once for many runs."""

import contextlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from unittest import mock

from secrecy.canaries import leaks
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.handlers import refresh
from worker.stage import Context

TOKENS = "tokens"
HOUR_SECONDS = 3600

Change = Callable[[str, Any], Any]
"""Is given an operation and its response, and gives what the client gets instead; None cuts the connection."""


class Ground:
    """A token secret, a single-use provider, and runs on them. `fresh` begins anew."""

    def __init__(self, *, table: bool = False, **settings: str) -> None:
        self.store = SecretsManagerServer()
        self.table = DynamoDbServer() if table else None
        self.endpoint = TokenEndpoint()
        self.change: Change = lambda _, response: response
        self.settings = settings
        self.slept_seconds = 0.0
        self.printed = ""
        self.error: TokenRefreshError | None = None
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Serve."""
        for server in (self.store, self.table, self.endpoint):
            if server:
                self._cleanup.enter_context(server)
        for service in (self.store, self.table):
            if service:
                self._intercept(service)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._cleanup.close()

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.store.environment,
            **(self.table.environment | {"CLAIM_TABLE": "claims"} if self.table else {}),
            "TOKEN_SECRET_ID": TOKENS,
            "PROVIDER": "generic",
            "TOKEN_ENDPOINT": self.endpoint.url,
            **self.settings,
        }

    def fresh(self, **changes: object) -> dict[str, Any]:
        """Forget everything, store a due token set, and give its document; None leaves a key out."""
        self.change = lambda _, response: response
        self.store.secrets.restore(())
        self.store.calls.clear()
        self.endpoint.requests.clear()
        self.endpoint.grant.redemptions = 0
        if self.table:
            self.table.create_table("claims", key="secret_arn")
        self.pass_seconds(-self.store.clock_offset_seconds)
        first = self.endpoint.grant.authorize()
        document = {
            "accessToken": first["access_token"],
            "refreshToken": first["refresh_token"],
            "expiresAt": int((self.store.now() + HOUR_SECONDS) * 1000),
            "clientId": self.endpoint.client_id,
            "clientSecret": self.endpoint.client_secret,
        } | changes
        document = {name: value for name, value in document.items() if value is not None}
        self.store.call("CreateSecret", {"Name": TOKENS, "ClientRequestToken": str(uuid.uuid4())})
        self.put(json.dumps(document))
        return document

    def put(self, text: str, *, version_id: str | None = None, label: str = "AWSCURRENT") -> str:
        """Store a version of the token secret."""
        request = {
            "SecretId": TOKENS,
            "ClientRequestToken": version_id or str(uuid.uuid4()),
            "SecretString": text,
            "VersionStages": [label],
        }
        return str(self.store.call("PutSecretValue", request)["VersionId"])

    def pass_seconds(self, seconds: float) -> None:
        """Move the clocks of the services."""
        for service in (self.store, self.table):
            if service:
                service.clock_offset_seconds += seconds

    def run(self, event: object = None, *, seconds: float = 60.0) -> str:
        """Run the handler; give the outcome or the name of the error. What it printed is in `printed`."""
        self.error = None
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(SystemClock, "monotonic", self._monotonic),
            mock.patch.object(SystemClock, "sleep", self._sleep),
            contextlib.redirect_stdout(io.StringIO()) as printed,
        ):
            try:
                ended = str(refresh({} if event is None else event, Context("r-1", seconds))["outcome"])
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
        secret = self.store.secrets.find(TOKENS)
        assert secret is not None
        return "\n".join(str(version.value) for version in secret.versions)

    @property
    def claimed(self) -> bool:
        """Whether a claim is stored, in either place."""
        items = self.table.tables["claims"].values() if self.table else ()
        return '"nonce"' in self.values or any("claim_id" in item for item in items)

    @property
    def newest_stored(self) -> bool:
        """Whether some version holds the refresh token that the provider issued last."""
        return [token for token in self.endpoint.grant.secrets if token.startswith("refresh-")][-1] in self.values

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
