"""An account as a check sees it: clients, the worker's stack, its provider, and time that passes."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Found = TypeVar("Found")

_LOOK_SECONDS = 10
_LIFETIME_SECONDS = 1800


class Contradicted(Exception):  # noqa: N818 - it is what AWS does, and ends in the report
    """AWS does something else than is assumed. The message has no value of a secret."""


class NotChecked(Exception):  # noqa: N818 - likewise
    """The check can't run here. The message says why."""


class DeploymentFailed(Exception):  # noqa: N818 - likewise
    """A stack could not be created or updated. The message has CloudFormation's first reason."""


def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Send a request, and return the status of its response."""
    request = urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310 - of our own stack
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - likewise
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@dataclass(slots=True, kw_only=True)
class Account:
    """What checks share.

    Attributes:
        prefix: What each name of this run begins with.
        spare_region: Where the replica is.
        make_client: Returns a boto3 client: `make_client(service, region, credentials)`.
        deployments: How stacks come and go: `around.ScriptDeployments`, or what does the same.
        provider: Whose tokens the worker refreshes: `around.TableProvider`, or what does the same.
        values: The parameters of the worker's deployment.
        outputs: Of the stacks around it and, once it is deployed, of the worker's own.
        conformance: The command that checks the rules of Secrets Manager.
    """

    prefix: str
    region: str
    spare_region: str
    make_client: Callable[..., Any]
    deployments: Any
    provider: Any
    conformance: tuple[str, ...]
    values: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    post: Callable[[str, Mapping[str, str], bytes], int] = post

    @property
    def stack(self) -> str:
        """The worker's stack: 45 characters, so that AWS has to cut the names that it makes."""
        return f"{self.prefix}-worker-".ljust(45, "x")

    def client(self, service: str, *, region: str | None = None, credentials: Mapping[str, str] | None = None) -> Any:
        """Return a client of a service: of this region and of whoever runs this, unless it is said otherwise."""
        return self.make_client(service, region or self.region, credentials)

    def deploy_worker(self, **changes: str) -> None:
        """Create or update the worker's stack; changes stay for later deployments."""
        self.values |= changes
        self.outputs |= self.deployments.deploy(self.stack, self.values)

    def wait_for(self, what: str, look: Callable[[], Found | None], *, minutes: int) -> Found:
        """Look until there is something, and return it.

        Raises:
            Contradicted: There is nothing after so many minutes.
        """
        for _ in range(minutes * 60 // _LOOK_SECONDS):
            if found := look():
                return found
            self.pause(_LOOK_SECONDS)
        raise Contradicted(f"{what}: not within {minutes} minutes")

    def scratch(self, name: str, value: str) -> str:
        """Create a secret beside the worker's, and return its name."""
        secret = f"{self.prefix}-{name}"
        self.client("secretsmanager").create_secret(Name=secret, SecretString=value)
        return secret

    def authorize(self, *, expires_in_seconds: int = _LIFETIME_SECONDS) -> str:
        """Store a token set of a new grant, as a person's authorization does, and return its access token."""
        document = {**self.provider.authorize(), "expiresAt": round((time.time() + expires_in_seconds) * 1000)}
        self.client("secretsmanager").put_secret_value(
            SecretId=self.outputs["TokenSecretId"],
            SecretString=json.dumps(document),
            ClientRequestToken=str(uuid.uuid4()),
        )
        return str(document["accessToken"])

    def access_token(self, output: str, region: str | None = None) -> str | None:
        """Return the access token in one of the stack's secrets, if it has one. It is compared, and never shown."""
        client = self.client("secretsmanager", region=region)
        try:
            read = client.get_secret_value(SecretId=self.outputs[output], VersionStage="AWSCURRENT")
        except client.exceptions.ResourceNotFoundException:
            return None
        token: str | None = json.loads(read["SecretString"]).get("accessToken")
        return token

    def versions(self, secret: str) -> dict[str, Any]:
        """Return under which key each version of a secret is, by its ID, those without labels included."""
        client, found = self.client("secretsmanager"), dict[str, Any]()
        asked: dict[str, Any] = {"SecretId": secret, "IncludeDeprecated": True}
        while True:
            page = client.list_secret_version_ids(**asked)  # boto3 has no paginator for it
            found |= {version["VersionId"]: version.get("KmsKeyIds") for version in page["Versions"]}
            if "NextToken" not in page:
                return found
            asked["NextToken"] = page["NextToken"]

    def refresh(self) -> float:
        """Have the worker refresh, and return how many seconds that took.

        Raises:
            Contradicted: The run ended otherwise.
        """
        began = self.now()
        invoked = self.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps({"force": True})
        )
        payload = json.loads(invoked["Payload"].read())
        if payload.get("outcome") != "refreshed":
            raise Contradicted(f"a forced run ended as {payload.get('outcome') or payload.get('errorType')}")
        return self.now() - began
