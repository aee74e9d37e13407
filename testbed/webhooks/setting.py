"""Builders of what the tests of webhooks run on."""

from typing import Any

import pytest

from testbed.reader_surroundings import WallClock
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.signing import KINDS, SECRETS
from token_refresh.reader import Runtime
from token_refresh.webhooks import SENDERS, Delivery, Receiver, Verifier

kinds = pytest.mark.parametrize("kind", KINDS)


class Setting:
    """A receiver with one route for each provider, `/webhooks/NAME`, and all that it stands on."""

    def __init__(self, clock: WallClock | None = None) -> None:
        self.clock = clock or WallClock()
        self.secrets = {kind: FakeSecret(SECRETS[kind]) for kind in KINDS}
        self.verifiers = {
            kind: Verifier(SENDERS[kind], self.secrets[kind], runtime=Runtime(clock=self.clock)) for kind in KINDS
        }
        self.delivered: list[tuple[str, Delivery]] = []
        self.error: BaseException | None = None
        self.routes = {SENDERS[kind].path: verifier for kind, verifier in self.verifiers.items()}
        self.receiver = Receiver(self.routes, deliver_to=self.take)

    def take(self, route: str, delivery: Delivery) -> None:
        if self.error:
            raise self.error
        self.delivered.append((route, delivery))

    def handle(self, event: Any) -> dict[str, Any]:
        return self.receiver.handle(event, None)


class Limited:
    """Takes deliveries of up to 1 MiB, as a queue does."""

    limit_bytes = 1_048_576

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def __call__(self, route: str, delivery: Delivery) -> None:
        self._setting.take(route, delivery)
