from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import pytest

import deploy
from infra.synthesis import ROOT
from testbed.secrets_manager.server import SecretsManagerServer

REGION = {"AWS_REGION": "eu-central-1"}


class Sts:
    """Says which account credentials are for, or refuses them."""

    def __init__(self) -> None:
        self.status, self.body = (
            200,
            "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>",
        )
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(f"<Response>{outer.body}</Response>".encode())

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def sts() -> Iterator[Sts]:
    server = Sts()
    thread = Thread(target=server.server.serve_forever)
    thread.start()
    yield server
    server.server.shutdown()
    thread.join()
    server.server.server_close()


def without_aws(tmp_path: Path) -> dict[str, str]:
    """This process's environment without any trace of credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}


def with_keys(tmp_path: Path, sts: Sts) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_ENDPOINT_URL_STS": sts.url}
    return without_aws(tmp_path) | keys | REGION


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "deploy", *arguments], env=environment, capture_output=True, text=True, check=False
    )


@dataclass
class Cdk:
    """Stands in for the CDK's command: what it is asked for, and what it says that it has deployed."""

    asked: list[list[str]] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] | None = None

    def become(self, _: Path, command: list[str]) -> NoReturn:
        self.asked.append(command)
        raise SystemExit(0)

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        *line, flag, path = command
        assert "--outputs-file" == flag
        self.asked.append(line)
        if self.outputs is not None:
            Path(path).write_text(json.dumps(self.outputs))
        return subprocess.CompletedProcess(command, 0 if self.outputs is not None else 1)


@pytest.fixture
def cdk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cdk:
    """A project whose only deployment is prod, and whose CDK deploys nothing."""
    stand_in = Cdk()
    (tmp_path / "deployments").mkdir()
    (tmp_path / "deployments" / "prod.toml").write_text('alarm_email = "a@b"\n')
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "node_modules").mkdir()
    monkeypatch.setattr(deploy, "INFRA", tmp_path)
    monkeypatch.setattr(deploy, "install_cdk", lambda: (Path("/bin/node"), Path("cdk")))
    monkeypatch.setattr(deploy, "check_credentials", lambda _: "account 1, region x")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setattr(os, "execv", stand_in.become)
    monkeypatch.setattr(os, "chdir", lambda _: None)
    monkeypatch.setattr(subprocess, "run", stand_in.run)
    return stand_in


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("prod", "deploy -c deployment=prod"),
        ("deploy prod --require-approval never", "deploy -c deployment=prod --require-approval never"),
        ("diff prod", "diff -c deployment=prod"),
        ("destroy prod --force", "destroy -c deployment=prod --force"),
        ("bootstrap prod", "bootstrap -c deployment=prod"),
        ("prod -c schedule_minutes=20", "deploy -c deployment=prod -c schedule_minutes=20"),
        ("-c environment=prod", "deploy -c environment=prod"),
        ("diff -c environment=prod", "diff -c environment=prod"),
    ],
)
def test_what_the_cdk_is_asked_for(cdk: Cdk, line: str, asked: str) -> None:
    """A deployment is named once; all that is not ours goes to the CDK as it is."""
    cdk.outputs = {}

    with pytest.raises(SystemExit) as ended:
        deploy.main(line.split())

    assert 0 == ended.value.code
    assert [["/bin/node", "cdk", *asked.split()]] == cdk.asked


def tags(store: SecretsManagerServer, name: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in store.client().describe_secret(SecretId=name).get("Tags", ())}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_adopted_secrets_are_tagged(cdk: Cdk, store: SecretsManagerServer) -> None:
    """After a deployment the tags of an adopted secret name what was deployed, and no more what it had before."""
    there = [{"Key": "team", "Value": "billing"}, {"Key": "token-refresh:claim-table", "Value": "gone"}]
    store.client().create_secret(Name="old-tokens", Tags=there)
    store.client().create_secret(Name="copies")
    cdk.outputs = {
        "token-refresh-prod": {
            "FunctionName": "token-refresh-prod",
            "TokenSecretId": store.client().describe_secret(SecretId="old-tokens")["ARN"],
            "PublishedSecretId": "copies",
        },
        "token-refresh-prod-fleet-prod": {"FunctionName": "token-refresh-prod-fleet-prod"},
    }

    with pytest.raises(SystemExit):
        deploy.main(["prod"])

    assert {
        "team": "billing",
        "token-refresh:function": "token-refresh-prod",
        "token-refresh:published": "copies",
    } == tags(store, "old-tokens")
    assert {"token-refresh:published-from": "old-tokens"} == tags(store, "copies")


def test_tags_that_are_right_are_left_alone(cdk: Cdk, store: SecretsManagerServer) -> None:
    """Where the template has set the tags, nothing is called that changes a secret, and so no right to it is needed."""
    named = {"token-refresh:function": "token-refresh-prod"}
    store.client().create_secret(Name="tokens", Tags=[{"Key": key, "Value": value} for key, value in named.items()])
    cdk.outputs = {"stack": {"FunctionName": "token-refresh-prod", "TokenSecretId": "tokens"}}
    store.fault("deny", "TagResource", times=None)

    with pytest.raises(SystemExit) as ended:
        deploy.main(["prod"])

    assert 0 == ended.value.code
    assert named == tags(store, "tokens")


def test_a_secret_that_can_not_be_tagged(
    cdk: Cdk, store: SecretsManagerServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who deploys and may not tag the secret gets the command for somebody who may; the deployment is complete."""
    store.fault("deny", "DescribeSecret", times=None)
    cdk.outputs = {"stack": {"FunctionName": "worker", "TokenSecretId": "tokens", "ClaimTableName": "my-claims"}}

    with pytest.raises(SystemExit) as ended:
        deploy.main(["prod"])

    said = capsys.readouterr().err
    assert 0 == ended.value.code
    assert "deployed, but secret tokens could not be tagged (AccessDeniedException)" in said
    assert said.endswith(
        "aws secretsmanager tag-resource --secret-id tokens --tags Key=token-refresh:function,Value=worker "
        "Key=token-refresh:claim-table,Value=my-claims --region eu-central-1\n"
    )


def test_a_deployment_that_failed_tags_nothing(cdk: Cdk) -> None:
    """The exit status is the CDK's, and a secret keeps the tags of what is deployed."""
    cdk.outputs = None

    with pytest.raises(SystemExit) as ended:
        deploy.main(["prod"])

    assert 1 == ended.value.code


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "name a deployment: scripts/deploy deploy NAME, one of: prod"),
        ("diff", "name a deployment: scripts/deploy diff NAME, one of: prod"),
        (
            "qa",
            "infra/deployments/qa.toml does not exist (there are: prod). Make it: echo",
        ),
    ],
)
def test_wrong_use(cdk: Cdk, capsys: pytest.CaptureFixture[str], line: str, message: str) -> None:
    """A wrong command line changes nothing and says how to write it."""
    with pytest.raises(SystemExit) as ended:
        deploy.main(line.split())

    assert 64 == ended.value.code
    assert capsys.readouterr().err.startswith(f"scripts/deploy: {message}")
    assert [] == cdk.asked


def test_interrupted(cdk: Cdk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C before the CDK has begun ends with one line, not with a traceback, and nothing is deployed."""

    def interrupted() -> tuple[Path, Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr(deploy, "install_cdk", interrupted)

    with pytest.raises(SystemExit) as ended:
        deploy.main(["destroy", "prod"])

    assert 130 == ended.value.code
    assert capsys.readouterr().err.endswith("scripts/deploy: interrupted; nothing was deployed\n")
    assert [] == cdk.asked


def test_without_credentials(tmp_path: Path) -> None:
    """Without credentials nothing is synthesised: one line says what is missing and what to do."""
    refused = run(without_aws(tmp_path) | REGION, "prod")

    assert 77 == refused.returncode
    assert (
        "scripts/deploy: no usable AWS credentials (NoCredentialsError). "
        "Set AWS_PROFILE to a profile of yours (aws configure sso makes one, aws sso login signs in)\n"
    ) == refused.stderr


def test_without_a_region(tmp_path: Path, sts: Sts) -> None:
    """Without a region nothing is deployed to wherever the CDK would choose."""
    environment = with_keys(tmp_path, sts)
    del environment["AWS_REGION"]

    refused = run(environment, "prod")

    assert (77, True) == (
        refused.returncode,
        refused.stderr.startswith("scripts/deploy: no AWS region is set. Set AWS"),
    )


def test_expired_credentials(tmp_path: Path, sts: Sts) -> None:
    """Expired credentials and a profile that doesn't exist are named, with the way to new ones."""
    sts.status, sts.body = 403, "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>"
    expired = run(with_keys(tmp_path, sts), "destroy", "prod")
    nobody = run(without_aws(tmp_path) | REGION | {"AWS_PROFILE": "nobody"}, "prod")

    assert expired.stderr.startswith("scripts/deploy: AWS refuses the credentials (ExpiredToken). Set AWS_PROFILE")
    assert nobody.stderr.startswith("scripts/deploy: no usable AWS credentials (ProfileNotFound). Set AWS_PROFILE")


def test_aws_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where AWS can't be reached, that is what the error says."""
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")

    with pytest.raises(deploy.Refused, match=r"^AWS can't be reached to check the credentials \(sts in eu-west-1\)$"):
        deploy.check_credentials({"region": "eu-west-1"})


def test_says_where_it_deploys_to(tmp_path: Path, sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything changes, account and region are on the screen; the file's region comes first."""
    for name, value in with_keys(tmp_path, sts).items():
        monkeypatch.setenv(name, value)

    assert "account 123456789012, region eu-central-1" == deploy.check_credentials({})
    assert "account 123456789012, region us-east-1" == deploy.check_credentials({"region": "us-east-1"})


def test_cdk_is_pinned() -> None:
    """The CDK's command is pinned by version and hash, and no lock names a host that it comes from."""
    asked = json.loads((ROOT / "infra/package.json").read_text())["devDependencies"]
    packages: dict[str, Any] = json.loads((ROOT / "infra/package-lock.json").read_text())["packages"]
    locked = {name: package for name, package in packages.items() if name}

    assert re.fullmatch(r"\d+\.\d+\.\d+", asked["aws-cdk"])
    assert asked["aws-cdk"] == locked["node_modules/aws-cdk"]["version"]
    assert all(re.match(r"sha512-.{88}$", package["integrity"]) for package in locked.values())
    assert "://" not in (ROOT / "infra/package-lock.json").read_text()


def test_synthesis_is_quiet(tmp_path: Path) -> None:
    """The pinned command synthesises a deployment by its name, without credentials and without a notice."""
    environment = without_aws(tmp_path) | {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_VALIDATION": "false"}
    done = run(environment, "synth", "prod", "--quiet", "--no-notices", "--output", str(tmp_path / "out"))

    assert 0 == done.returncode, done.stderr
    assert "flags" not in done.stdout + done.stderr
    assert (tmp_path / "out" / "token-refresh-prod.template.json").exists()


def test_help() -> None:
    """The help lists what there is."""
    shown = run(dict(os.environ), "--help").stdout

    assert all(f"scripts/deploy {what}" in shown for what in ("NAME", "diff NAME", "destroy NAME", "bootstrap NAME"))
    assert "cdk" in shown
