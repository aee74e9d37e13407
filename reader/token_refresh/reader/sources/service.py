"""One AWS service that holds secrets: calls it, and names what goes wrong."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import call
from token_refresh.aws.clients import CLIENTS, ClientLimits
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import ConfigurationError
from token_refresh.reader import lifecycle

T = TypeVar("T")

# A call takes about 10 ms; a stuck one is better repeated. With two attempts a store that hangs takes 7 s: a Lambda
# function that reaches its timeout loses the value that it had cached (tests/infra/test_webhooks.py).
CALL_LIMITS: Final = ClientLimits(connect_seconds=2, read_seconds=3, attempts=2)


class AwsService:
    """Calls a service through the caller's client, or through a client that all readers share."""

    def __init__(self, name: str, *, client: Any, region: str | None) -> None:
        """Remember the client and the region.

        Raises:
            ConfigurationError: The given client belongs to another region than the given one.
        """
        self.name = name
        self._client = client
        self._region = region
        self._inherited = False
        if client is not None and region not in {None, client.meta.region_name}:
            raise ConfigurationError(
                f"region is {region}, and the given client is of {client.meta.region_name}: give one of the two"
            )
        lifecycle.watch(self)

    def region_of(self, name: str) -> str:
        """Give the region in which a secret is looked up, for messages."""
        if self._client is not None:
            return str(self._client.meta.region_name)
        return self.client_region(name) or "the configured region"

    def client_region(self, name: str) -> str | None:
        """Give the region whose client reads a secret; None: that of the caller's client, or of the profile."""
        return None if self._client is not None else CLIENTS.region_of(arn_region(name) or self._region)

    def call(self, name: str, request: Callable[[], AwsRequest], ask: Callable[[Any], T]) -> T:
        """Carry out one call and read its response.

        Args:
            name: The secret; an ARN chooses the region.
            request: Gives the call as messages name it; the region may be known only once there is a client.
            ask: Calls the service through the given client, and reads the response.
        """
        return call(lambda: ask(self._connect(name)), request)

    def after_fork(self) -> None:
        """Remember that the caller's client brought the parent's connections along."""
        self._inherited = True

    def after_restore(self) -> None:
        """Keep everything: botocore opens new connections itself."""

    def _connect(self, name: str) -> Any:
        if self._client is None:
            return CLIENTS.get(self.name, limits=CALL_LIMITS, region=self.client_region(name))
        if self._inherited:
            self._client.close()  # closes the child's copies of the connections; the client opens new ones
            self._inherited = False
        return self._client
