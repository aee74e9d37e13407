"""AWS on loopback: ministack in an environment of its own, with IAM enforced; and a stack that is deployed to it.

Its Secrets Manager breaks what claims rely on: it overwrites a version when a token is reused. So functions get the
strict one of this testbed, which asks the emulator's IAM before each call.
"""

import contextlib
import copy
import hashlib
import json
import os
import subprocess
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.exceptions import ClientError

from testbed.aws.faults import Call
from testbed.generated_names import named
from testbed.ports import free_port
from testbed.surroundings import for_installing

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT, REGION = "123456789012", "eu-central-1"
UNSUPPORTED = ("AWS::CloudWatch::CompositeAlarm", "AWS::Logs::QueryDefinition", "AWS::SecretsManager::ResourcePolicy")
"""The resource types that the emulator lacks."""
UNKNOWN_CONDITION = "OnlyFromTheWorker"
"""The policies whose condition key, `lambda:SourceFunctionArn`, the emulator doesn't set."""
_START_SECONDS, _STACK_SECONDS = 180, 180


class Emulator:
    """The emulator's process, for as long as the `with` block lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        subprocess.run([ROOT / "scripts" / "install", "emulator"], check=True, env=for_installing())
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self._folder),
            "STATE_DIR": str(self._folder),
            "GATEWAY_PORT": self.url.rpartition(":")[2],
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
        }
        self._log = (self._folder / "log").open("w")
        self._process = subprocess.Popen(
            [ROOT / ".venv/emulator/bin/ministack"], env=environment, stdout=self._log, stderr=self._log
        )
        wait_for(self._responds, seconds=_START_SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def _responds(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5).close()  # noqa: S310 - our own child
        except OSError:  # nobody listens yet, or it is slow
            return False
        return True

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        """Return a boto3 client: the account's root, unless it is given credentials."""
        keys = credentials or {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "test"}
        make: Any = boto3.client
        return make(service, region_name=REGION, endpoint_url=self.url, **keys)


@dataclass(slots=True, kw_only=True)
class Stack:
    """A synthesised template, deployed."""

    emulator: Emulator
    name: str
    template: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)
    """What each function gets besides its own variables: where the testbed's servers are."""
    left_out: tuple[str, ...] = ()
    """Resource types to leave out beside those that the emulator lacks."""
    outputs: dict[str, str] = field(default_factory=dict)

    def create(self, code: Path) -> Self:
        """Upload the zip to where the template expects it, and create the stack."""
        template = named(without_unsupported(self.template, *self.left_out), self.name)
        functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
        for function in functions:
            function["Environment"]["Variables"] |= self.variables
        bucket, key = functions[0]["Code"]["S3Bucket"], functions[0]["Code"]["S3Key"]
        storage = self.emulator.client("s3")
        with contextlib.suppress(storage.exceptions.BucketAlreadyOwnedByYou):
            storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        storage.put_object(Bucket=bucket, Key=key, Body=code.read_bytes())
        self._cloudformation.create_stack(
            StackName=self.name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        stack = self.wait_until("CREATE_COMPLETE")
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return self

    def delete(self) -> None:
        """Delete the stack as `cdk destroy` does."""
        arn = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        self._cloudformation.delete_stack(StackName=self.name)
        self.wait_until("DELETE_COMPLETE", arn)

    def wait_until(self, status: str, arn: str | None = None) -> dict[str, Any]:
        """Wait until no operation is under way, and require a status."""
        stack: dict[str, Any] = {}

        def ended() -> bool:
            (now,) = self._cloudformation.describe_stacks(StackName=arn or self.name)["Stacks"]
            stack.update(now)
            return not now["StackStatus"].endswith("_IN_PROGRESS")

        wait_for(ended, seconds=_STACK_SECONDS)
        assert status == stack["StackStatus"], stack.get("StackStatusReason")
        return stack

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Run the function once, and return its payload: a result, or an error."""
        response = self.emulator.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps(event)
        )
        payload: dict[str, Any] = json.loads(response["Payload"].read())
        return payload

    def role(self) -> tuple[str, dict[str, str]]:
        """Return the function's role and the credentials that the emulator gives the function.

        They follow from both ARNs (ministack 1.5.33, `execution_credentials`).
        """
        configuration = self.emulator.client("lambda").get_function_configuration(
            FunctionName=self.outputs["FunctionName"]
        )
        digest = hashlib.sha256(f"{configuration['FunctionArn']}:{configuration['Role']}".encode()).hexdigest()
        return configuration["Role"].rpartition("/")[2], {
            "aws_access_key_id": f"ASIA{digest[:16].upper()}",
            "aws_secret_access_key": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
            "aws_session_token": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
        }

    def authorize(self, call: Call) -> str | None:
        """Ask the emulator's IAM about a call on the strict Secrets Manager, by making it there too."""
        _, credentials = self.role()
        if call.access_key_id != credentials["aws_access_key_id"]:
            return None  # the test's own
        secrets: Any = self.emulator.client("secretsmanager", credentials)
        name = str(call.secret_id) if call.arn is None else call.arn.split(":secret:")[1][: -len("-AbCdEf")]
        token = str(uuid.uuid4())
        calls = {
            "GetSecretValue": lambda: secrets.get_secret_value(SecretId=name),
            "PutSecretValue": lambda: secrets.put_secret_value(
                SecretId=name, SecretString="{}", ClientRequestToken=token, VersionStages=["PROBE"]
            ),
            "UpdateSecretVersionStage": lambda: secrets.update_secret_version_stage(
                SecretId=name, VersionStage="PROBE", MoveToVersionId=token
            ),
            "ListSecretVersionIds": lambda: secrets.list_secret_version_ids(SecretId=name),
        }
        try:
            calls[call.operation]()
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return f"{call.operation} on {name}"
        return None

    @property
    def _cloudformation(self) -> Any:
        return self.emulator.client("cloudformation")


def without_unsupported(template: dict[str, Any], *left_out: str) -> dict[str, Any]:
    """Return the template without what the emulator lacks or is to leave out, and without references to it.

    A `Ref` of a secret is its ARN; the emulator returns its name, and the ARN as the attribute `Id`, as AWS does.
    """
    secrets = {n for n, r in template["Resources"].items() if r["Type"] == "AWS::SecretsManager::Secret"}
    gone = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] in {*UNSUPPORTED, *left_out} or UNKNOWN_CONDITION in name
    }

    def clean(value: Any) -> Any:
        match value:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]} if name in gone:
                return "removed"
            case {"Ref": str(name)} if name in secrets:
                return {"Fn::GetAtt": [name, "Id"]}
            case dict():
                return {key: clean(item) for key, item in value.items()}
            case list():
                return [clean(item) for item in value if not (isinstance(item, str) and item in gone)]
            case _:
                return value

    kept = copy.deepcopy(template)
    kept["Resources"] = {name: clean(r) for name, r in kept["Resources"].items() if name not in gone}
    for section in ("Rules", "Parameters"):  # whether the account is bootstrapped
        kept.pop(section, None)
    return kept


def wait_for(condition: Any, *, seconds: float) -> None:
    """Poll until a condition holds.

    Raises:
        TimeoutError: It doesn't within so many seconds.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} within {seconds} s")
        time.sleep(0.1)
