"""Makes clients of AWS services: one session of boto3, and its clients, for all that a process does."""

import os
import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from token_refresh.aws.causes import Cause, FailedCall, failure_of
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest

_REGION: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")  # botocore reads the second alone
_PROFILE: Final = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")  # in botocore's order


class ClientLimits(NamedTuple):
    """How long a client waits, and how often it sends a request."""

    connect_seconds: float
    read_seconds: float
    attempts: int
    """Requests of one call, with up to 1 s between them (botocore's standard mode)."""
    connections: int = 10


class MakeClient(Protocol):
    """Makes the client of an AWS service."""

    def __call__(self, service: str, *, region: str | None = None) -> Any:
        """Make the client of `service`, by its name in botocore; without a region, in the configured one."""


class Clients:
    """The clients of one AWS configuration; another configuration replaces them."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop session and clients. A forked child would write to its parent's connections, and wait for its locks."""
        # A session is not safe under threads; its clients are.
        self._lock = threading.Lock()
        self._configuration: Mapping[str, str] | None = None
        self._session: Any = None
        self._profiles_region: str | None = None
        self._made: dict[tuple[str, str, ClientLimits], Any] = {}

    def get(
        self,
        service: str,
        *,
        limits: ClientLimits,
        region: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Any:
        """Return a client of `service`, by its name in botocore; in the configured region if `region` is None.

        The variables of `environment` stand for those of the process. Making a client takes longer than a call.
        """
        aws = _aws_variables(os.environ if environment is None else environment)
        # An explicit profile makes botocore ignore the credentials in the process's environment.
        profile = None if environment is None or "AWS_ACCESS_KEY_ID" in aws else aws.get("AWS_PROFILE")
        try:
            with self._lock:
                self._configure(_without_region(aws), profile)
                return self._get(service, region, limits, aws)
        except Exception as error:  # noqa: BLE001 - whatever botocore meets in variables and files, it is named
            failure = _why(error)
        # Outside of `except`: the error in it may quote a variable or a file.
        name = next((aws[name] for name in _PROFILE if name in aws), "")
        raise named_error(failure, AwsRequest(service, name, region or "", kind=""))

    def region_of(self, region: str | None = None) -> str | None:
        """Return the region that a client gets; the profile's is known once there was a client."""
        aws = _aws_variables(os.environ)
        profiles = self._profiles_region if self._configuration == _without_region(aws) else None
        return region or _region_in(aws) or profiles

    def regions(self, service: str) -> list[str]:
        """List the regions that have a service; there must be a client."""
        with self._lock:
            found: list[str] = self._session.get_available_regions(service)
        return found

    def _get(self, service: str, region: str | None, limits: ClientLimits, aws: Mapping[str, str]) -> Any:
        region = region or _region_in(aws)
        if region is None:
            # Empty if the variable is: botocore takes that for a region.
            region = self._profiles_region = self._session.region_name or None
        if region is None:
            from botocore.exceptions import NoRegionError  # noqa: PLC0415 - see `_configure`

            raise NoRegionError
        key = (service, region, limits)
        if key not in self._made:
            from botocore.config import Config  # noqa: PLC0415 - see `_configure`

            self._made[key] = self._session.client(
                service,
                region_name=region,
                config=Config(
                    connect_timeout=limits.connect_seconds,
                    read_timeout=limits.read_seconds,
                    retries={"mode": "standard", "total_max_attempts": limits.attempts},
                    max_pool_connections=limits.connections,
                ),
            )
        return self._made[key]

    def _configure(self, configuration: Mapping[str, str], profile: str | None) -> None:
        if configuration == self._configuration:
            return
        import boto3.session  # noqa: PLC0415 - 0.2 s, which only the first call should cost

        # One for all: reading AWS's data takes 40 times as long as making a client.
        session = boto3.session.Session(profile_name=profile)
        self._session, self._profiles_region, self._made = session, None, {}
        self._configuration = configuration


def _aws_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith("AWS_") and value}


def _region_in(aws: Mapping[str, str]) -> str | None:
    return next((aws[name] for name in _REGION if name in aws), None)


def _without_region(aws: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in aws.items() if name not in _REGION}


def _why(error: Exception) -> FailedCall:
    """Say why there is no client: what is not about region, profile or credentials is about another setting."""
    failure = failure_of(error)
    if isinstance(error, ValueError):  # an endpoint without a scheme, or a malformed region
        return FailedCall(cause=Cause.BAD_CONFIGURATION, code="a region or an endpoint URL is malformed")
    if failure.cause in {Cause.NO_PROFILE, Cause.NO_REGION} or failure.cause.is_denial:
        return failure
    return FailedCall(cause=Cause.BAD_CONFIGURATION, code=failure.code)


CLIENTS: Final = Clients()

if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=CLIENTS.forget)
