"""What the conformance suite runs against: our server, moto, and a real account where one was named."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from testbed.secrets_manager.moto_server import moto_here
from testbed.secrets_manager.server import SecretsManagerServer

LIVE_REGION = "CONFORMANCE_LIVE_REGION"
"""The variable that `scripts/prove conformance --live` sets, and nothing else."""
PREFIX = os.environ.get("CONFORMANCE_PREFIX", "token-refresh-conformance-")
"""What the names of the suite's secrets begin with; `scripts/prove account` sets another one."""

Client = Any  # boto3 makes its clients at run time


def _is_throttled(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "ThrottlingException"


class Patient:
    """A client that repeats what the service throttled, and so didn't carry out, and nothing else."""

    wait = wait_random_exponential(max=10)

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        """Return what the client has under this name."""
        found = getattr(self._client, name)
        tries = Retrying(
            retry=retry_if_exception(_is_throttled), stop=stop_after_attempt(6), wait=self.wait, reraise=True
        )
        return partial(tries, found) if callable(found) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A Secrets Manager, and how to make a client of it for another region."""

    name: str
    region: str
    client: Client
    client_for: Callable[[str], Client]
    left: set[str] = field(default_factory=set)
    """The secrets that were created and not deleted."""

    def create(self, **value: str) -> str:
        """Create a secret that nothing else has the name of, and return its name."""
        name = f"{PREFIX}{uuid.uuid4()}"
        self.left.add(name)  # before: the reply may be lost
        self.client.create_secret(Name=name, **value)
        return name

    def delete(self, secret: str) -> None:
        self.client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        self.left.discard(secret)

    def sweep(self) -> None:
        """Delete what an interrupted test left; a secret that isn't there counts as deleted."""
        for secret in sorted(self.left):
            self.delete(secret)


@contextmanager
def ours() -> Iterator[Backend]:
    with SecretsManagerServer() as server, serving("ours", server.region, endpoint_url=server.url) as backend:
        yield backend


@contextmanager
def moto() -> Iterator[Backend]:
    with moto_here() as url, serving("moto", "eu-central-1", endpoint_url=url) as backend:
        yield backend


@contextmanager
def aws() -> Iterator[Backend]:
    session = boto3.Session(region_name=os.environ[LIVE_REGION])
    with serving("aws", session.region_name or "", session=session) as backend:
        yield backend


@contextmanager
def serving(name: str, region: str, *, session: Any = None, **options: str) -> Iterator[Backend]:
    session = session or boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
    made: list[Client] = []

    def client_for(region: str) -> Client:
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=64)
        made.append(Patient(session.client("secretsmanager", region_name=region, config=config, **options)))
        return made[-1]

    backend = Backend(name=name, region=region, client=client_for(region), client_for=client_for)
    try:
        yield backend
    finally:
        backend.sweep()
        for client in made:
            client.close()


BACKENDS = {"ours": ours, "moto": moto, "aws": aws}


def chosen() -> list[str]:
    """Return which of them the suite runs against: the real one alone where it was asked for."""
    return ["aws"] if LIVE_REGION in os.environ else ["ours", "moto"]
