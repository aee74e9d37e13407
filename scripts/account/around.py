"""How stacks come: the worker's by `scripts/deploy`, and one in each region with what stands around it."""

import hashlib
import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from account.account import DeploymentFailed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TEMPLATE = "around.json"


class TableProvider:
    """The provider of `provider.py`, ruled through its table; its client is another one in each run."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb, self._table = dynamodb, table
        self._client_id, self._client_secret = "account-check", secrets.token_urlsafe(24)
        self._rejected = False

    def authorize(self) -> dict[str, str]:
        """Begin a new grant, and return the members of a token document that it gives."""
        refresh = secrets.token_urlsafe(32)
        client = f"{self._client_id}:{self._client_secret}"
        digests = {
            name: hashlib.sha256(text.encode()).hexdigest() for name, text in (("client", client), ("refresh", refresh))
        }
        item = {"id": "grant", "rejected": "yes" if self._rejected else "no", **digests}
        self._dynamodb.put_item(TableName=self._table, Item={name: {"S": text} for name, text in item.items()})
        return {
            "accessToken": secrets.token_urlsafe(32),
            "refreshToken": refresh,
            "clientId": self._client_id,
            "clientSecret": self._client_secret,
        }

    def reject(self, *, rejected: bool) -> None:
        """Reject the refresh tokens of all grants that begin from now on, or no longer."""
        self._rejected = rejected


class ScriptDeployments:
    """Deploys as users do, without asking. What it prints goes to a file, since that has the account's number."""

    def __init__(self, cloudformation: Any, region: str, log: Path) -> None:
        self._cloudformation, self._region, self._log = cloudformation, region, log

    def deploy(self, stack: str, values: Mapping[str, str]) -> dict[str, str]:
        """Create or update a stack from a deployment's parameters, and return its outputs.

        Raises:
            DeploymentFailed: The deployment failed; the message has CloudFormation's first reason.
        """
        given = {**values, "stack": stack, "region": self._region}
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        command = [str(ROOT / "scripts" / "deploy"), "deploy", *options, "--require-approval", "never"]
        environment = os.environ | {"AWS_REGION": self._region}
        with self._log.open("a") as log:
            done = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise DeploymentFailed(f"{_reason(self._cloudformation, stack)} ({self._log} has the rest)")
        return _outputs(self._cloudformation, stack)

    def delete(self, stack: str) -> None:
        """Delete a stack as `scripts/deploy destroy` does; secrets, keys and tables stay."""
        self._cloudformation.delete_stack(StackName=stack)
        self._cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)


def create(make_client: Any, stack: str, regions: tuple[str, str], caller_arn: str) -> dict[str, str]:
    """Create what stands around the worker in both regions: in the spare one, that is a key alone.

    Raises:
        DeploymentFailed: CloudFormation refuses it.
    """
    template = json.loads((HERE / TEMPLATE).read_text("utf-8"))
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
    """Return which resource failed first and why, as CloudFormation says it."""
    try:
        events = client.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError:
        return f"no stack {stack} was begun"
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    if not failed:
        return f"stack {stack} has no failed event"
    return f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason given')}"
