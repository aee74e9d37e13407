"""One real run on the virtual clock: planner, protocol and adapter of the product, between imitations of AWS."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from benchmarks.fleets.account import VirtualSecretsManager
from benchmarks.fleets.clock import VirtualClock
from benchmarks.fleets.providers import VirtualProvider
from fakes import FakeLog
from token_refresh.errors import TokenRefreshError
from token_refresh.stored.refresh_window import DEFAULT_WINDOW
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.core.schedule import Policy, due_at
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.outcome import Outcome, RunFacts
from token_refresh_worker.run.parts import Limits, Parts
from token_refresh_worker.run.ports import ClaimStore, Deadline
from token_refresh_worker.run.run import Run
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import ClaimStoreKind

SINGLE_USE = load_provider("generic")
RUN_SECONDS = 83.0
REQUEST_SECONDS = 20.0
POLICY = Policy(
    refresh_window=DEFAULT_WINDOW,
    replay_grace=timedelta(0),
    claim_time_to_live=timedelta(seconds=120),
    host="provider.example",
    claim_store=ClaimStoreKind.TABLE,
)
"""Single use: a refresh token that is redeemed twice ends the grant."""


@dataclass(slots=True, kw_only=True)
class VirtualRun:
    """What the handler's `Invocation` is to the fleet's worker."""

    clock: VirtualClock
    account: VirtualSecretsManager
    provider: VirtualProvider
    claims: ClaimStore
    secret_arn: str
    request_id: str | None = None
    due_before: datetime | None = None
    _run: Run | None = None

    def execute(
        self, start: Callable[[], tuple[Trigger, Mapping[str, str]]], *, secret_id: str | None = None
    ) -> Outcome | TokenRefreshError:
        """Run to the end."""
        del secret_id
        start()
        deadline = Deadline(clock=self.clock, at=self.clock.seconds + RUN_SECONDS)
        client: Any = self.account
        store = SecretsManagerSecret(client, self.secret_arn, deadline)
        self._run = Run(
            parts=Parts(
                store=store,
                claims=self.claims,
                published=None,
                endpoint=lambda _: self.provider,
                credentials=_credentials,
                provider=replace(SINGLE_USE, name=self.provider.name),
                nonce=lambda: secrets.token_hex(16),
                clock=self.clock,
                log=FakeLog(),
            ),
            policy=POLICY,
            secret=SecretName(secret_id=self.secret_arn, region=store.region),
            deadline=deadline,
            limits=Limits(request_timeout_seconds=REQUEST_SECONDS),
        )
        try:
            return self._run.execute()
        except TokenRefreshError as error:
            return error

    def facts(self, began_at: datetime) -> RunFacts:
        """Give what the run learned."""
        memory = self._run.memory if self._run else None
        snapshot = memory.snapshot if memory else None
        if memory is None or snapshot is None:
            return RunFacts(at=began_at)
        document = snapshot.current.document
        return RunFacts(
            at=memory.service_now(),
            requests=memory.requests_sent,
            provider=self.provider.name,
            version_id=snapshot.current.version_id,
            expires_at=document.expires_at,
            due_at=due_at(document, POLICY),
        )


def _credentials(document: TokenDocument) -> ClientCredentials:
    found = read_credentials(document.fields)
    if found is None:
        raise RuntimeError("every document of the benchmark has client credentials")
    return found
