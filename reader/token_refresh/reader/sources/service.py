"""One AWS service that holds secrets: calls it, and names what goes wrong."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import call
from token_refresh.aws.clients import CLIENTS, ClientLimits
from token_refresh.aws.request import AskedBy, AwsRequest
from token_refresh.errors import ConfigurationError
from token_refresh.reader.runtime import ForkAware, tell_of_forks

T = TypeVar("T")

# A call takes about 10 ms; a stuck one is better repeated. With two attempts a store that hangs takes 7 s: a Lambda
# function that reaches its timeout loses the value that it had cached (tests/infra/test_webhooks.py).
CALL_LIMITS: Final = ClientLimits(connect_seconds=2, read_seconds=3, attempts=2)


class AwsService(ForkAware):
    """Calls a service through the caller's client, or through a client that all readers share."""

    def __init__(
        self, name: str, *, kind: str, client: Any, region: str | None, asked_by: AskedBy = "SecretReader"
    ) -> None:
        """Remember the client and the region, and what messages call a value of the service and its reader."""
        self._name = name
        self._kind = kind
        self._client = client
        self._region = region
        self._asked_by: AskedBy = asked_by
        self._inherited = False
        if client is not None and region not in {None, client.meta.region_name}:
            raise ConfigurationError(
                f"region is {region}, and the given client is for {client.meta.region_name}: give one of the two"
            )
        tell_of_forks(self)

    def request(self, action: str, *names: str, reference: str | None = None) -> AwsRequest:
        """Name a call about these secrets, as messages do; see `AwsRequest`."""
        region = self.client_region(names[0]) if self._client is None else str(self._client.meta.region_name)
        # The profile's region is known only once there is a client.
        return AwsRequest(
            action=f"{self._name}:{action}",
            name=", ".join(names),
            region=region or "the configured region",
            kind=self._kind,
            reference=reference,
            asked_by=self._asked_by,
        )

    def client_region(self, name: str) -> str | None:
        """Return the region whose client reads a secret; None: that of the caller's client, or of the profile."""
        return None if self._client is not None else CLIENTS.region_of(arn_region(name) or self._region)

    def call(self, action: str, *names: str, ask: Callable[[Any], T]) -> T:
        """Carry out an action on these secrets: `ask` calls the client of their region, and reads the response."""
        return call(lambda: ask(self._connect(names[0])), lambda: self.request(action, *names))

    def after_fork(self) -> None:
        """Remember that the caller's client brought the parent's connections along."""
        self._inherited = True

    def _connect(self, name: str) -> Any:
        if self._client is None:
            return CLIENTS.get(self._name, limits=CALL_LIMITS, region=self.client_region(name))
        if self._inherited:
            self._client.close()  # closes the child's copies of the connections; the client opens new ones
            self._inherited = False
        return self._client
