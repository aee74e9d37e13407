"""A strict Secrets Manager on this machine: HTTP for boto3, atomic calls, and faults on demand.

In process:

    with SecretsManagerServer() as server:
        client = server.client()
        fault = server.fault("drop_after", "PutSecretValue")
        server.clock_offset_seconds += 86_400                           # a day passes
        server.staleness = Staleness(writes=8, seconds=300)             # reads are eventually consistent

As a process of its own, which prints {"url": ...} and ends with its standard input:

    python -m testbed.secrets_manager.server --port 0
"""

import argparse
from typing import Any, ClassVar

from testbed.aws.faults import Call
from testbed.aws.server import AwsServer
from testbed.aws.service import Request, Response
from testbed.process import announce
from testbed.secrets_manager.limits import VERSIONS_PER_SECRET
from testbed.secrets_manager.model import SecretsModel
from testbed.secrets_manager.staleness import READS, EarlierStates, Staleness


class SecretsManagerServer(AwsServer):
    """The secrets of all regions, each region with its own. Arguments: see `AwsServer`."""

    signing_name: ClassVar[str] = "secretsmanager"
    target_prefix: ClassVar[str] = "secretsmanager."
    content_type: ClassVar[str] = "application/x-amz-json-1.1"
    endpoint_variable: ClassVar[str] = "AWS_ENDPOINT_URL_SECRETS_MANAGER"

    def __init__(self, *, quota: int = VERSIONS_PER_SECRET, **server: Any) -> None:
        super().__init__(**server)
        self.staleness: Staleness | None = None
        """How stale the reads of clients may be; None: not at all."""
        self.secrets = SecretsModel(self.region, quota=quota)
        self._regions = {self.region: self.secrets}
        self._past = EarlierStates()

    def forget_past(self) -> None:
        """Let no stale read see what was there before this moment."""
        with self._lock:
            self._past = EarlierStates()

    def _carry_out(self, operation: str, request: Request, region: str) -> Response:
        model = self._regions.setdefault(region, SecretsModel(region, quota=self.secrets.quota))
        before = model.find(request.get("SecretId", ""))
        response = model.call(operation, request, now=self.now())
        if before is not None and model.find(before.arn) not in {None, before}:
            self._past.replaced(before, self.now())
        return response

    def _stale(self, call: Call, request: Request) -> Response | None:
        model = self._regions.get(call.region)
        if self.staleness is None or model is None or call.operation not in READS:
            return None
        present = model.find(request.get("SecretId", ""))
        if present is None:
            return None
        past = self.staleness.choose(self._past.of(present, self.staleness, self.now()))
        if past is None:
            return None
        earlier = SecretsModel(call.region)
        earlier.restore((past,))
        return earlier.call(call.operation, request, now=self.now())

    def _describe(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        secret_id = request.get("SecretId", request.get("Name"))
        stage, stages = request.get("VersionStage"), request.get("VersionStages", ())
        model = self._regions.get(region)
        secret = model.find(secret_id) if model and secret_id else None
        return Call(
            operation=operation,
            region=region,
            access_key_id=access_key_id,
            secret_id=secret_id,
            arn=secret.arn if secret else None,
            version_id=_version_id(request),
            version_stages=(stage,) if stage else tuple(stages),
        )


def _version_id(request: Request) -> str | None:
    members = ("VersionId", "ClientRequestToken", "MoveToVersionId", "RemoveFromVersionId")
    found: Any = next((request[member] for member in members if member in request), None)
    return found if isinstance(found, str) else None


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m testbed.secrets_manager.server", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--region", default="eu-central-1")
    options = parser.parse_args()
    with SecretsManagerServer(port=options.port, region=options.region) as server:
        announce(url=server.url)


if __name__ == "__main__":
    main()
