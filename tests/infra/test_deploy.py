import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError

import deploy
import protect
from examples import SHARE
from preflight import Preflight, Problem
from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.synthesis import ROOT

REGION = {"AWS_REGION": "eu-central-1"}
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


class Sts(LoopbackServer):
    """Says which account credentials are for, or refuses them."""

    def __init__(self) -> None:
        super().__init__(_Sts)
        self.status = 200
        self.body = "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"


class _Sts(LoopbackHandler):
    server: Sts

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.respond(self.server.status, f"<Response>{self.server.body}</Response>".encode())


@pytest.fixture
def sts() -> Iterator[Sts]:
    with Sts() as server:
        yield server


def without_aws(tmp_path: Path) -> dict[str, str]:
    """This process's environment without any trace of credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}


def with_keys(tmp_path: Path, sts: Sts) -> dict[str, str]:
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_ENDPOINT_URL_STS": f"http://{sts.address}",
    }
    return without_aws(tmp_path) | keys | REGION


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "deploy", *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands of the CDK that the process runs or becomes; the only deployment, prod, makes `prod-stack`."""
    commands: list[list[str]] = []
    (tmp_path / "deployments").mkdir()
    (tmp_path / "deployments" / "prod.toml").write_text('alarm_email = "a@b"\n')
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "node_modules").mkdir()
    monkeypatch.setattr(deploy, "INFRA", tmp_path)
    monkeypatch.setattr(deploy, "install_cdk", lambda: (Path("/bin/node"), Path("cdk")))
    monkeypatch.setattr(deploy, "check_credentials", lambda _: "1")
    monkeypatch.setattr(deploy, "look_ahead", lambda *_: None)

    def become(_: Path, command: list[str]) -> None:
        commands.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setattr(deploy, "region_of", lambda _: "eu-central-1")
    monkeypatch.setattr(deploy, "protect_tables", lambda *_: [])
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def deployed(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        *asked, option, outputs = command
        assert "--outputs-file" == option
        Path(outputs).write_text('{"prod-stack": {"ClaimTableName": "claims"}}')
        commands.append(asked)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", deployed)
    return commands


@pytest.mark.parametrize(
    ("line", "cdk"),
    [
        ("prod", "deploy -c deployment=prod"),
        ("deploy prod --require-approval never", "deploy -c deployment=prod --require-approval never"),
        ("diff prod", "diff -c deployment=prod"),
        ("diff {0}/deployments/../deployments/prod.toml", "diff -c deployment={0}/deployments/prod.toml"),
        ("destroy prod --force", "destroy -c deployment=prod --force"),
        ("bootstrap prod", "bootstrap -c deployment=prod"),
        ("prod -c schedule_minutes=20", "deploy -c deployment=prod -c schedule_minutes=20"),
        ("-c environment=prod", "deploy -c environment=prod"),
        ("diff -c environment=prod", "diff -c environment=prod"),
    ],
)
def test_what_the_cdk_is_asked_for(became: list[list[str]], tmp_path: Path, line: str, cdk: str) -> None:
    """A deployment is named once, by its whole path where it is elsewhere; all that is not ours goes on as it is."""
    with contextlib.suppress(SystemExit):
        deploy.main(line.format(tmp_path).split())

    assert [["/bin/node", "cdk", *cdk.format(tmp_path).split()]] == became


def test_false_drift_is_named(became: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Where the CDK shows drift, what CloudFormation reports falsely is named, with the command that tells."""
    with contextlib.suppress(SystemExit):
        deploy.main(["drift", "prod"])

    assert [["/bin/node", "cdk", "drift", "-c", "deployment=prod"]] == became
    said = capsys.readouterr().err
    assert "may report a schedule as deleted that is there" in said
    assert said.endswith("aws scheduler list-schedules --region eu-central-1\n")


@pytest.mark.usefixtures("became")
def test_nobody_is_told_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CDK reports no command to AWS, unless the environment says that it should."""
    for asked in (None, "false"):
        monkeypatch.setenv("CDK_DISABLE_CLI_TELEMETRY", asked or "")
        if asked is None:
            monkeypatch.delenv("CDK_DISABLE_CLI_TELEMETRY")
        with pytest.raises(SystemExit):
            deploy.main(["diff", "prod"])

        assert (asked or "true") == os.environ["CDK_DISABLE_CLI_TELEMETRY"]


def test_a_deployment_protects_its_tables(
    became: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deployment tags its secrets, and protects its tables, which is said, in the region that is given."""
    protect_tables, tag_secrets = Mock(return_value=["claims"]), Mock()
    monkeypatch.setattr(deploy, "region_of", lambda values: values.get("region", "eu-central-1"))
    monkeypatch.setattr(deploy, "protect_tables", protect_tables)
    monkeypatch.setattr(deploy, "tag_secrets", tag_secrets)

    with contextlib.suppress(SystemExit):
        deploy.main(["diff", "prod"])
    deploy.main(["prod", "-c", "region=us-east-1"])

    assert 2 == len(became)
    ((stacks, region),) = (call.args for call in protect_tables.call_args_list)
    assert (["prod-stack"], "us-east-1") == (list(stacks), region)
    ((client, outputs),) = (call.args for call in tag_secrets.call_args_list)
    assert ("us-east-1", {"ClaimTableName": "claims"}) == (client.meta.region_name, outputs)
    assert capsys.readouterr().err.endswith("scripts/deploy: table claims is protected against deletion\n")


INTERRUPTED = (
    "scripts/deploy: interrupted. What CloudFormation has begun goes on; when it has ended, run this command again\n"
)


@pytest.mark.parametrize(("code", "status", "said"), [(1, 1, ""), (-signal.SIGINT, 130, INTERRUPTED)])
@pytest.mark.usefixtures("became")
def test_a_failed_deployment_protects_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, status: int, said: str
) -> None:
    """A deployment that failed ends with the CDK's exit code, and Ctrl-C with a line; what is left is not touched."""
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, code))
    monkeypatch.setattr(deploy, "protect_tables", lambda *_: pytest.fail("it was asked"))

    with pytest.raises(SystemExit) as ended:
        deploy.main(["prod"])

    assert status == ended.value.code
    assert said == capsys.readouterr().err.partition("region eu-central-1\n")[2]


def test_a_table_that_stays_open(
    became: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where AWS refuses the protection, the deployment says which table can be deleted, and what protects it."""
    table = {"ResourceType": "AWS::DynamoDB::Table", "PhysicalResourceId": "claims"}
    client = Mock()
    client.get_paginator.return_value.paginate.return_value = [
        {"StackResourceSummaries": [table, {"ResourceType": "AWS::SQS::Queue"}]}
    ]
    client.describe_table.return_value = {"Table": {}}
    client.update_table.side_effect = ClientError({"Error": {"Code": "AccessDeniedException"}}, "UpdateTable")
    monkeypatch.setattr(deploy, "protect_tables", protect.protect_tables)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)

    with pytest.raises(SystemExit) as ended:
        deploy.main(["prod"])

    assert 77 == ended.value.code
    assert 1 == len(became)
    assert capsys.readouterr().err.endswith(
        "scripts/deploy: deployed, but table claims in eu-central-1 can still be deleted: dynamodb:UpdateTable failed "
        "(AccessDeniedException). Protect it: aws dynamodb update-table --table-name claims "
        "--deletion-protection-enabled --region eu-central-1\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "name a deployment: scripts/deploy deploy NAME, one of: prod"),
        ("diff", "name a deployment: scripts/deploy diff NAME, one of: prod"),
        ("qa", "infra/deployments/qa.toml does not exist (there are: prod). Make it: echo"),
        ("/no/qa.toml", "/no/qa.toml does not exist (there are: prod). Make it: echo 'environment = \"qa\"' > /no/qa."),
        ("prod --profile work", "--profile is the cdk command's alone: set AWS_PROFILE in its place"),
    ],
)
def test_wrong_use(became: list[list[str]], capsys: pytest.CaptureFixture[str], line: str, message: str) -> None:
    """A wrong command line changes nothing and says how to write it."""
    with pytest.raises(SystemExit) as ended:
        deploy.main(line.split())

    assert 64 == ended.value.code
    assert capsys.readouterr().err.startswith(f"scripts/deploy: {message}")
    assert [] == became


def test_interrupted(
    became: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C before the CDK has begun ends with one line, not with a traceback, and nothing is deployed."""
    monkeypatch.setattr(deploy, "install_cdk", Mock(side_effect=KeyboardInterrupt))

    with pytest.raises(SystemExit) as ended:
        deploy.main(["destroy", "prod"])

    assert 130 == ended.value.code
    assert capsys.readouterr().err.endswith("scripts/deploy: interrupted; nothing was deployed\n")
    assert [] == became


@pytest.mark.parametrize(
    ("changes", "exit_code", "message"),
    [
        ({"AWS_REGION": ""}, 77, "no AWS region is set. Set AWS_REGION"),
        ({}, 77, "AWS refuses the credentials (ExpiredToken). Set AWS_PROFILE"),
        (NO_KEYS, 77, "no usable AWS credentials (NoCredentialsError). Set AWS_PROFILE to a profile of yours (aws con"),
        ({"AWS_PROFILE": "nobody"}, 77, "no usable AWS credentials (ProfileNotFound). Set AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}, 69, "AWS can't be reached to check the credentials (sts in e"),
    ],
    ids=["no region", "expired credentials", "no credentials", "no such profile", "AWS out of reach"],
)
def test_who_can_not_deploy(  # noqa: PLR0917 - fixtures and cases
    tmp_path: Path, sts: Sts, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], exit_code: int, message: str
) -> None:
    """Nothing is deployed to wherever the CDK would choose, nor without credentials: what is missing is named."""
    sts.status, sts.body = 403, "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>"
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials of the first client in this process
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (with_keys(tmp_path, sts) | changes).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(deploy.Refused, match=f"^{re.escape(message)}") as refused:
        deploy.check_credentials({})

    assert exit_code == refused.value.exit_code


def test_says_where_it_deploys_to(tmp_path: Path, sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything changes, account and region are on the screen; the file's region comes first."""
    for name, value in with_keys(tmp_path, sts).items():
        monkeypatch.setenv(name, value)

    assert "123456789012" == deploy.check_credentials({"account": "123456789012"})
    with pytest.raises(deploy.Refused, match="is for account 210987654321, these credentials are for 123456789012"):
        deploy.check_credentials({"account": "210987654321"})
    assert ["eu-central-1", "us-east-1"] == [deploy.region_of(values) for values in ({}, {"region": "us-east-1"})]


def test_what_would_fail_is_said_before(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the account can't take ends the command before CloudFormation begins, with all of it at once."""
    asked: list[Preflight] = []

    def problems(preflight: Preflight) -> list[Problem]:
        asked.append(preflight)
        preflight.unread.append("iam:get_role (AccessDenied)")
        found = [Problem(text=text, fix=(f"mend {text}",)) for text in ("one", "two")]
        return [*found, Problem(text="three", fix=("ask",), is_fatal=False)]

    monkeypatch.setattr(Preflight, "problems", problems)
    words = "prod -c claim_table=create --context=schedule_minutes=20 --require-approval never"
    request = deploy.parse(words.split())
    assert {"claim_table": "create", "schedule_minutes": "20"} == request.context

    with pytest.raises(deploy.Refused) as refused:
        deploy.look_ahead(request, "123456789012", "eu-central-1")

    assert 69 == refused.value.exit_code
    assert (
        "this deployment would fail, and be rolled back. Nothing was deployed:\n- one. Fix: mend one\n"
        "- two. Fix: mend two" == str(refused.value)
    )
    said = "scripts/deploy: not looked at: iam:get_role (AccessDenied)\nscripts/deploy: three. Fix: ask\n"
    assert said == capsys.readouterr().err
    assert ("token-refresh-prod", ()) == (asked[0].stack, asked[0].previous_keys)
    assert "token-refresh-prod-claims" in json.dumps(asked[0].template)


def test_a_wrong_parameter_is_the_application_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that can't be synthesised is not looked at: the CDK's application says what is wrong with it."""
    monkeypatch.setattr(Preflight, "problems", lambda _: pytest.fail("it was asked"))

    deploy.look_ahead(deploy.parse(["prod", "-c", "kms=create"]), "123456789012", "eu-central-1")


def test_cdk_is_pinned() -> None:
    """The CDK's command is pinned by version and hash, and no lock names a host that it comes from."""
    asked = json.loads((ROOT / "infra/package.json").read_text())["devDependencies"]
    packages: dict[str, Any] = json.loads((ROOT / "infra/package-lock.json").read_text())["packages"]
    locked = {name: package for name, package in packages.items() if name}

    assert re.fullmatch(r"\d+\.\d+\.\d+", asked["aws-cdk"])
    assert asked["aws-cdk"] == locked["node_modules/aws-cdk"]["version"]
    assert all(re.match(r"sha512-.{88}$", package["integrity"]) for package in locked.values())
    assert "://" not in (ROOT / "infra/package-lock.json").read_text()


def test_synthesis_is_quiet(tmp_path: Path, code: Path) -> None:
    """The pinned command synthesises by name, zip included, without node, credentials or a notice.

    At night with the rules, which take half of its time; tests/infra/test_app.py has them in each run.
    """
    (tmp_path / "node").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "node").chmod(0o755)
    out, path = tmp_path / "out", f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in without_aws(tmp_path).items() if not name.startswith(("CDK_", "JSII_NODE"))}
    values = {
        "alarm_email": "you@example.com",
        "token_endpoint_auth_method": "aws_iam_jwt",
        "client_assertion_audience": "https://crm.example.com",
    }
    context = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]

    validation = {} if SHARE == 1 else {"CDK_VALIDATION": "false"}
    done = run(
        kept | validation | {"PATH": path}, "synth", "prod", *context, "--quiet", "--no-notices", "--output", str(out)
    )

    assert 0 == done.returncode, done.stderr
    assert "flags" not in done.stdout + done.stderr
    assert (out / "token-refresh-prod.template.json").exists()
    (asset,) = out.glob("asset.*.zip")
    assert code.read_bytes() == asset.read_bytes()
