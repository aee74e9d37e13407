"""One AWS service that holds secrets: calls it, and names what goes wrong."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from token_refresh.aws.arn import arn_region
from token_refresh.aws.causes import failure_of
from token_refresh.aws.clients import configured_region
from token_refresh.aws.errors import AwsRequest, named_error
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh.reader import lifecycle
from token_refresh.reader.clients import ATTEMPTS, CLIENTS, READ_TIMEOUT_SECONDS
from token_refresh.reader.errors import without_traceback

T = TypeVar("T")


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
        region = self.client_region(name)
        # Only for a message: botocore alone knows the profile's region, once there is a client.
        likely = region or os.environ.get("AWS_DEFAULT_REGION") or "the configured region"
        return CLIENTS.region_of(self.name, region) or likely

    def client_region(self, name: str) -> str | None:
        """Give the region whose client reads a secret; None: that of the caller's client, or of the profile."""
        return None if self._client is not None else arn_region(name) or self._region or configured_region()

    def call(self, name: str, request: Callable[[], AwsRequest], ask: Callable[[Any], T]) -> T:
        """Carry out one call and read its response.

        The error is raised from here, so that no frame of its traceback holds a response.

        Args:
            name: The secret; an ARN chooses the region.
            request: Gives the call as messages name it; the region may be known only once there is a client.
            ask: Calls the service through the given client, and reads the response.
        """
        problem: TokenRefreshError
        try:
            return ask(self._connect(name))
        # Named already, by the code that read the response.
        except TokenRefreshError as error:
            problem = without_traceback(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is named
            problem = named_error(failure_of(error), request())
        raise problem

    def after_fork(self) -> None:
        """Remember that the caller's client brought the parent's connections along."""
        self._inherited = True

    def after_restore(self) -> None:
        """Keep everything: botocore opens new connections itself."""

    def _connect(self, name: str) -> Any:
        if self._client is None:
            region = self.client_region(name)
            return CLIENTS.get(self.name, region, read_timeout_seconds=READ_TIMEOUT_SECONDS, attempts=ATTEMPTS)
        if self._inherited:
            self._client.close()  # closes the child's copies of the connections; the client opens new ones
            self._inherited = False
        return self._client
