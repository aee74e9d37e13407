"""An account as a check sees it: clients, the stacks, their provider, and time that passes."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import httpx
from botocore.exceptions import ClientError, WaiterError

Found = TypeVar("Found")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_LOOK_SECONDS = 10
_LIFETIME_SECONDS = 1800


class Contradicted(Exception):  # noqa: N818 - it is what AWS does, and ends in the report
    """AWS does something else than is assumed. The message has no value of a secret."""


class NotChecked(Exception):  # noqa: N818 - likewise
    """The check can't run here. The message says why."""


class DeploymentFailed(Exception):  # noqa: N818 - likewise
    """A stack could not be created or updated. The message has CloudFormation's first reason."""


@dataclass(slots=True, kw_only=True)
class Account:
    """What checks share.

    Attributes:
        prefix: What each name of this run begins with.
        spare_region: Where the replica is.
        make_client: Returns a boto3 client: `make_client(service, region, credentials)`.
        deployments: How stacks come and go: `ScriptDeployments`, or what does the same.
        provider: Whose tokens the worker refreshes: `TableProvider`, or what does the same.
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
    post: Callable[..., httpx.Response] = httpx.post

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


class TableProvider:
    """The provider of `provider.py`, ruled through its table; its client is another one in each run."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table
        self._client = {"clientId": "account-check", "clientSecret": secrets.token_urlsafe(24)}
        self._rejected = False

    def authorize(self) -> dict[str, str]:
        """Begin a new grant, and return the members of a token document that it gives."""
        refresh = secrets.token_urlsafe(32)
        digested = {"client": ":".join(self._client.values()), "refresh": refresh}
        item = {"id": "grant", "rejected": "yes" if self._rejected else "no"}
        item |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in digested.items()}
        self._dynamodb.put_item(TableName=self._table, Item={name: {"S": text} for name, text in item.items()})
        return {"accessToken": secrets.token_urlsafe(32), "refreshToken": refresh, **self._client}

    def reject(self, *, rejected: bool) -> None:
        """Reject the refresh tokens of all grants that begin from now on, or no longer."""
        self._rejected = rejected


class ScriptDeployments:
    """Deploys files as users do, without asking. Files and log are in a folder, and name the account."""

    def __init__(self, cloudformation: Any, region: str, folder: Path) -> None:
        self._cloudformation, self._region, self._folder = cloudformation, region, folder

    def deploy(self, stack: str, values: Mapping[str, str]) -> dict[str, str]:
        """Create or update a stack from a deployment's parameters, and return its outputs.

        Raises:
            DeploymentFailed: The deployment failed; the message has CloudFormation's first reason.
        """
        file, log = self._folder / f"{stack}.toml", self._folder / "scripts-deploy.log"
        given = {**values, "stack": stack, "region": self._region}
        file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()), "utf-8")
        command = [str(ROOT / "scripts" / "deploy"), "deploy", str(file), "--require-approval", "never"]
        with log.open("a") as written:
            status, _ = carried_out(command, stdout=written, stderr=written)
        if status:
            raise DeploymentFailed(f"{_reason(self._cloudformation, stack)} ({log} has the rest)")
        return _outputs(self._cloudformation, stack)

    def delete(self, stack: str) -> None:
        """Delete a stack as `scripts/deploy destroy` does; secrets, keys and tables stay."""
        self._cloudformation.delete_stack(StackName=stack)
        self._cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)


def carried_out(command: Sequence[str], **options: Any) -> tuple[int, str]:
    """Run a command; its status and output. An interruption ends all that it started, before anything is removed."""
    with subprocess.Popen(command, start_new_session=True, text=True, **options) as process:  # noqa: S603 - our own
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate()
            raise
    return process.returncode, output or ""


def create_around(make_client: Any, stack: str, regions: tuple[str, str], caller_arn: str) -> dict[str, str]:
    """Create what stands around the worker in both regions: in the spare one, that is a key alone.

    Raises:
        DeploymentFailed: CloudFormation refuses it.
    """
    template = json.loads((HERE / "around.json").read_text("utf-8"))
    spare = {"Resources": {"Key": template["Resources"]["Key"]}, "Outputs": {"KeyArn": template["Outputs"]["KeyArn"]}}
    given = {"CallerArn": caller_arn, "ProviderCode": (HERE / "provider.py").read_text("utf-8")}
    here = _created(make_client("cloudformation", regions[0]), stack, template, given)
    there = _created(make_client("cloudformation", regions[1]), stack, spare, {})
    return {**here, "CallerArn": caller_arn, "NextKeyArn": here["KeyArn"], "SpareKeyArn": there["KeyArn"]}


def _created(client: Any, stack: str, template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    client.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    try:
        client.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
    except WaiterError:
        raise DeploymentFailed(_reason(client, stack)) from None
    return _outputs(client, stack)


def _outputs(client: Any, stack: str) -> dict[str, str]:
    (described,) = client.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}


def _reason(client: Any, stack: str) -> str:
    """Return which resource failed first in the last operation and why, as CloudFormation says it."""
    try:
        events = client.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError:
        return f"no stack {stack} was begun"
    last = takewhile(lambda event: event.get("ResourceStatusReason") != "User Initiated", events)
    failed = [event for event in last if event["ResourceStatus"].endswith("_FAILED")]
    if not failed:
        return f"stack {stack} has no failed event"
    return f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason given')}"
