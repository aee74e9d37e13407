from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import EVERYTHING
from infra.synthesis import FLAGS, ROOT, Deployment


@pytest.fixture(scope="session")
def broken_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which the system's node is of no use."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "node").write_text("#!/bin/sh\nexit 1\n")
    (folder / "node").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def run_app(context: dict[str, Any], out: Path, path: str, *program: str) -> subprocess.CompletedProcess[str]:
    """Run the application as the `cdk` command does."""
    given = {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(FLAGS | context), "PATH": path}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "JSII_"))}
    return subprocess.run(
        [sys.executable, *(program or ("app.py",))],
        cwd=ROOT / "infra",
        env=kept | given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_synthesis(tmp_path: Path, broken_node: str, code: Path) -> None:
    """One command synthesises everything, zip included, without a system node, and clean by AWS Solutions' rules."""
    app = run_app(EVERYTHING, tmp_path, broken_node)

    assert (0, "") == (app.returncode, app.stderr)
    assert (tmp_path / "token-refresh-upwork-prod.template.json").exists()
    (asset,) = tmp_path.glob("asset.*.zip")
    assert code.read_bytes() == asset.read_bytes()
    assert not [line for line in app.stdout.splitlines() if line.startswith("ERROR")]


def test_missing_environment(tmp_path: Path, broken_node: str) -> None:
    """A wrong parameter is one line that names it, without a traceback, and no template is written."""
    app = run_app({}, tmp_path, broken_node)

    assert 1 == app.returncode
    assert app.stderr.startswith("infra/app.py: environment: is required: write environment = ")
    assert 1 == len(app.stderr.splitlines())
    assert [] == list(tmp_path.glob("*.template.json"))


def test_templates_are_valid(
    tmp_path: Path, plain: Deployment, everything: Deployment, adopted: Deployment, bare: Deployment
) -> None:
    """What is synthesised is valid CloudFormation by the schemas of its resources."""
    for name, deployment in {"plain": plain, "everything": everything, "adopted": adopted, "bare": bare}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(deployment.template))

    # W3005 warns of dependencies that the CDK writes out although a reference implies them.
    lint = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", "W3005", "--", *tmp_path.glob("*.json")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (lint.returncode, lint.stdout)


def test_a_breach_of_the_rules_is_no_deployment(tmp_path: Path, broken_node: str) -> None:
    """What AWS Solutions' rules find keeps the application from being synthesised, and is named."""
    breach = """
import sys; sys.path.insert(0, ".")
import token_refresh_infra.constructs.key as key
made = key.kms.Key
key.kms.Key = lambda *scope, **options: made(*scope, **options | {"enable_key_rotation": False})
import app; app.main()
"""
    app = run_app(EVERYTHING, tmp_path, broken_node, "-c", breach)

    assert 0 != app.returncode
    assert "AwsSolutions-KMS5" in app.stdout + app.stderr
