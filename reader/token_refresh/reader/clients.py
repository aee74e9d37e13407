"""The clients of AWS that readers share, one for each service and region."""

import threading
from typing import Any, Final

from token_refresh.aws.clients import configured_region, make_client
from token_refresh.reader import lifecycle

CONNECT_TIMEOUT_SECONDS: Final = 2
# A call takes about 10 ms; a stuck one is better repeated.
READ_TIMEOUT_SECONDS: Final = 3

# With up to 1 s between them (botocore's standard mode), a store that hangs takes 7 s: a Lambda function that reaches
# its timeout loses the value that it had cached (tests/infra/test_webhooks.py).
ATTEMPTS: Final = 2


class Clients:
    """Makes clients when they are first needed."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str | None], Any] = {}
        self._lock = threading.Lock()
        lifecycle.watch(self)

    def get(self, service: str, region: str | None, *, read_timeout_seconds: float, attempts: int) -> Any:
        """Give the client, in the configured region if `region` is None."""
        region = region or configured_region()
        with self._lock:
            # Under the lock: making a client takes 0.1 s, and botocore's sessions are not made for two threads at once.
            client = self._made.get((service, region))
            if client is None:
                from botocore.config import Config  # noqa: PLC0415 - 0.2 s, which only the first read should cost

                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=read_timeout_seconds,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                )
                client = self._made[service, region] = make_client(service, region=region, config=config)
            return client

    def region_of(self, service: str, region: str | None) -> str | None:
        """Give the region of a client that was made before; None if there is none yet."""
        client = self._made.get((service, region or configured_region()))
        return str(client.meta.region_name) if client else None

    def after_fork(self) -> None:
        """Make new clients: parent and child would write to the same connections."""
        self._lock = threading.Lock()
        self._made = {}

    def after_restore(self) -> None:
        """Keep the clients: botocore opens new connections itself, and a client takes 0.1 s to make."""


CLIENTS: Final = Clients()
