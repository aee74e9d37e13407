"""What the conformance suite runs against: our server, moto, and a real account where one was named."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from testbed.secrets_manager.server import SecretsManagerServer

# Set by `scripts/prove conformance --live`, and by nothing else.
LIVE_REGION = os.environ.get("CONFORMANCE_LIVE_REGION")

Client = Any  # boto3 makes its clients at run time


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A Secrets Manager, and how to make a client of it for another region."""

    name: str
    region: str
    client: Client
    client_for: Callable[[str], Client]

    def create(self, **value: str) -> str:
        """Create a secret that nothing else has the name of, and return its name."""
        name = f"token-refresh-conformance-{uuid.uuid4()}"
        self.client.create_secret(Name=name, **value)
        return name

    def delete(self, secret: str) -> None:
        self.client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


@contextmanager
def ours() -> Iterator[Backend]:
    with SecretsManagerServer() as server:
        yield from _backend("ours", server.region, endpoint_url=server.url)


@contextmanager
def moto() -> Iterator[Backend]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield from _backend("moto", "eu-central-1", endpoint_url=f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def aws() -> Iterator[Backend]:
    session = boto3.Session(region_name=LIVE_REGION)
    yield from _backend("aws", session.region_name or "", session=session)


def _backend(name: str, region: str, *, session: Any = None, **options: str) -> Iterator[Backend]:
    session = session or boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
    made: list[Client] = []

    def client_for(region: str) -> Client:
        # One try: a suite that repeats its calls can't tell what one of them did.
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=64)
        made.append(session.client("secretsmanager", region_name=region, config=config, **options))
        return made[-1]

    yield Backend(name=name, region=region, client=client_for(region), client_for=client_for)
    for client in made:
        client.close()


BACKENDS = {"ours": ours, "moto": moto} if LIVE_REGION is None else {"aws": aws}
