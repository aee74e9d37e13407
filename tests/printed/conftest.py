import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import deploy as deploy_command
from cli.shell import BIN, Shell
from printed.blocks import ROOT, blocks
from testbed.emulator import ACCOUNT, REGION, Emulator

GROUP = "deployments"

# Stands in for the CDK where it would change an account. It keeps the deployment's files, which the test then checks as
# the CDK's app does: in this process, since to import the app takes longer than all else of a command.
_CDK = """
const { spawnSync } = require("node:child_process");
const { cpSync } = require("node:fs");
const [command, flag, deployment, ...others] = process.argv.slice(2);
if (process.env.ASSEMBLY && ["bootstrap", "diff"].includes(command)) {
  const options = [REAL, ...process.argv.slice(2), "--no-notices", "--app", process.env.ASSEMBLY];
  process.exit(spawnSync(process.execPath, options, { stdio: "inherit" }).status);
}
const known = ["bootstrap", "diff", "deploy", "destroy", "synth"].includes(command);
const ours = !others.length || (command === "deploy" && others.length === 2 && others[0] === "--outputs-file");
if (!known || flag !== "-c" || !ours) process.exit(64);
cpSync("deployments", `../asked/${deployment.replace(/^deployment=/, "")}`, { recursive: true });
"""

NOTHING_ASKED = """
class Preflight:
    unread = ()

    def __init__(self, **_): ...

    def problems(self):
        return []
"""

# The test reads the deployment itself, with all checks, in a process that has the CDK already.
NOTHING_READ = """
from types import SimpleNamespace

def read_deployment(*_, **__):
    return {}, SimpleNamespace(stack_name="", previous_kms_keys=())
"""


@pytest.fixture(scope="session")
def served() -> Iterator[dict[str, str]]:
    """What `scripts/demo --serve` exports, while it runs."""
    with subprocess.Popen(  # noqa: S603 - our own script
        [ROOT / "scripts" / "demo", "--serve"], stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        exports = {}
        for line in itertools.takewhile("\n".__ne__, demo.stdout):  # they end with an empty line
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value.strip("'")
        yield exports
        demo.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An account of the pages' own: they bootstrap it, which fails where a stack was deployed before."""
    with Emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture
def client(served: dict[str, str]) -> Callable[..., Any]:
    """Makes clients of the demo's servers."""

    def make(service: str) -> Any:
        url = served.get(f"AWS_ENDPOINT_URL_{service.upper()}") or served["AWS_ENDPOINT_URL_SECRETS_MANAGER"]
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, endpoint_url=url, region_name=REGION, **keys)  # type: ignore[call-overload]  # any service

    return make


@pytest.fixture
def project(tmp_path: Path, code: Path) -> Path:
    """A copy of what a deployment is made from; the tools are those that are installed here."""
    _, cdk = deploy_command.install_cdk()
    not_copied = shutil.ignore_patterns("__pycache__", "node_modules", "cdk.out")
    for folder in ("scripts", "testbed", "reader", "worker", "admin", "locks", "infra", "examples", code.parent.name):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=not_copied)
    for file in ("LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "scripts" / "install").write_text("#!/bin/sh\n")  # the .venv is not this copy's
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    stand_in = tmp_path / "infra" / "node_modules" / "aws-cdk" / "bin" / "cdk"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(f"const REAL = {json.dumps(str(cdk))};\n{_CDK}")
    shutil.copy(ROOT / "infra" / "node_modules" / ".lock", tmp_path / "infra" / "node_modules")
    return tmp_path


@pytest.fixture
def files(page: Path, project: Path, client: Callable[..., Any]) -> Path:
    """The files that the pages tell a reader to write."""
    tokens = json.loads(client("secretsmanager").get_secret_value(SecretId="upwork-oauth-tokens")["SecretString"])
    credentials = {name: tokens[name] for name in ("clientId", "clientSecret")}
    (project / "client.json").write_text(json.dumps(credentials))
    (project / "client.json").chmod(0o600)
    (project / "secret.txt").write_text("made-up-signing-secret")
    (project / "key.txt").write_text("made-up-key")
    (project / "google.json").write_text('{"clientId": "made-up", "clientSecret": "made-up"}')
    # Other pages and the demo have made what is there; tests/infra/test_preflight.py asks.
    (project / "infra" / "preflight.py").write_text(NOTHING_ASKED)
    if page.name != "deploy.md":  # to load the CDK for what nobody asks takes longer than all else of a command
        (project / "infra" / "plain.py").write_text("synthesised = dict")
        (project / "infra" / "token_refresh_infra" / "deployment_file.py").write_text(NOTHING_READ)
    deployments = project / "infra" / "deployments"
    of_fleet = 'mode = "fleet"\nfleet = "prod"\nsecrets_under = "customers/"\nclient_secret = "documents"\n'
    (deployments / "my-fleet.toml").write_text(of_fleet)
    # Where this process looks, the profiles of the copy are not in the repository's root.
    (deployments / "webhooks.toml").write_text(blocks(ROOT / "docs" / "webhooks.md", "toml")[0])
    of_mcp = blocks(ROOT / "docs" / "mcp.md", "toml")[0].replace('"profiles"', f'"{project / "profiles"}"')
    (deployments / "mcp.toml").write_text(of_mcp)
    for example in (ROOT / "examples").glob("my-crm.*"):
        shutil.copy(example, project)
    return project


@pytest.fixture
def shell(  # noqa: PLR0917 - fixtures
    page: Path, served: dict[str, str], emulator: Emulator, files: Path, programs: Path, aws: Path
) -> Shell:
    """A shell at the demo's servers; on pages about more of AWS than the demo has, the emulator has the rest."""
    (files / ".aws").mkdir()
    (files / ".aws" / "config").write_text("[default]\ncli_follow_urlparam = false\n")  # as version 2 of the CLI does
    account = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": emulator.url}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"HOME": str(files), "LANG": "C.UTF-8", "NO_COLOR": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}
    environment["CDK_VALIDATION"] = "false"  # half of a synthesis; tests/infra validates the templates
    if is_operators := page.name in {"operations.md", "maintain.md"}:
        account = {}
    configuration = {"AWS_CONFIG_FILE": str(files / ".aws" / "config")}
    shell = Shell(environment | served | configuration | account, files)
    shell.environment["PATH"] = f"{aws}:{programs}:{BIN}:{os.environ['PATH']}"
    if is_operators:  # There is an older token set, and no published copy that another page left behind.
        assert 0 == shell.run("token-refresh refresh upwork-oauth-tokens --force --yes").code
    return shell
