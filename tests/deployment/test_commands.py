from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import deploy as deploy_command
from deployment.emulator import ACCOUNT, REGION, ROOT, Emulator

PAGE = (ROOT / "docs" / "deploy.md").read_text()
COMMANDS = sorted(set(re.findall(r"^(?:\| `)?(scripts/deploy [a-z -]+[a-z])", PAGE, re.MULTILINE)))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, code: Path) -> Path:
    """A copy of what a deployment is made from; the tools are those that are installed here."""
    deploy_command.install_cdk()
    folder = tmp_path_factory.mktemp("project")
    not_copied = shutil.ignore_patterns("__pycache__", "node_modules", "cdk.out")
    for path in (ROOT / "scripts", ROOT / "worker", ROOT / "locks", ROOT / "infra", code.parent):
        shutil.copytree(path, folder / path.name, ignore=not_copied)
    shutil.copy(ROOT / "LICENSE", folder)
    (folder / "scripts" / "install").write_text("#!/bin/sh\n")  # the .venv is not this copy's
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "infra" / "node_modules").symlink_to(ROOT / "infra" / "node_modules")
    return folder


def test_page_lists_these() -> None:
    """The page has each command that `scripts/deploy` knows, and no other form of it."""
    assert [
        "scripts/deploy bootstrap prod",
        "scripts/deploy destroy prod",
        "scripts/deploy diff prod",
        "scripts/deploy prod",
        "scripts/deploy prod --pause",
        "scripts/deploy prod --resume",
        "scripts/deploy synth prod",
    ] == COMMANDS
    assert all(deploy_command.parse(line.split()[1:]).name == "prod" for line in COMMANDS)


def test_commands_run_as_printed(project: Path, emulator: Emulator) -> None:
    """Bootstrap and diff run as printed, with the pinned `cdk` against an emulated account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    account = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": emulator.url}
    environment = kept | account | {"AWS_REGION": REGION, "HOME": str(project), "CDK_DISABLE_CLI_TELEMETRY": "true"}

    def run(line: str) -> str:
        done = subprocess.run(
            [*line.split(), "--no-notices"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout + done.stderr

    assert f"Environment aws://{ACCOUNT}/{REGION} bootstrapped" in run("scripts/deploy bootstrap prod")
    assert "[+] AWS::Lambda::Function" in run("scripts/deploy diff prod")
