from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import app
from infra.conftest import EVERYTHING, RECEIVER, WHOLE_FLEET
from testbed.synthesis import FLAGS, Deployment, plain_templates

from aws_cdk import App  # isort: skip - after our package, which chooses the node that this starts
from aws_cdk import aws_kms as kms  # isort: skip


def synthesise(values: dict[str, Any], out: Path) -> None:
    """Run the application in this process, which has paid for the CDK's start."""
    app.synthesise(App(context=FLAGS | values, outdir=str(out)))


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The applications of each mode, with every option that adds something."""
    out = tmp_path_factory.mktemp("assemblies")
    for mode, values in {"secret": EVERYTHING, "fleet": WHOLE_FLEET, "webhooks": RECEIVER}.items():
        synthesise(values, out / mode)
    return out


@pytest.mark.parametrize("mode", ["secret", "fleet", "webhooks"])
def test_modes(assemblies: Path, mode: str, code: Path, receiver_zip: Path) -> None:
    """Each mode is synthesised with its own zip, and clean by AWS Solutions' rules."""
    expected = receiver_zip if mode == "webhooks" else code

    (asset,) = (assemblies / mode).glob("asset.*.zip")
    assert expected.read_bytes() == asset.read_bytes()


@pytest.mark.parametrize("values", [WHOLE_FLEET, RECEIVER], ids=["fleet", "webhooks"])
def test_without_credentials(
    tmp_path: Path, code: Path, receiver_zip: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    """Each mode is synthesised where account and region are not known yet, and clean by AWS Solutions' rules."""
    del code, receiver_zip
    for name in ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    of_a_place = {"account", "region", "kms_key", "encrypt_logs", "slack_secret"}

    synthesise({name: value for name, value in values.items() if name not in of_a_place}, tmp_path)

    assert 1 == len([*tmp_path.glob("*.template.json")])


def test_missing_environment(tmp_path: Path) -> None:
    """A wrong parameter is one line that names it, without a traceback, and no template is written."""
    with pytest.raises(SystemExit, match=r"^infra/app.py: environment: is required: write environment = .*$") as ended:
        synthesise({}, tmp_path)

    assert "\n" not in str(ended.value)
    assert [] == list(tmp_path.glob("*.template.json"))


def test_ctrl_c_shows_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C while the application starts, which takes seconds, ends it as it ends the CDK's command: silently."""
    (tmp_path / "token_refresh_infra.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")

    ended = subprocess.run(
        [sys.executable, "-P", str(app.__file__)],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (-signal.SIGINT, "") == (ended.returncode, ended.stderr)


def test_templates_are_valid(tmp_path: Path, assemblies: Path, request: pytest.FixtureRequest) -> None:
    """What is synthesised is valid CloudFormation by the schemas of its resources."""
    for name in ("plain", "adopted", "bare"):
        deployment: Deployment = request.getfixturevalue(name)
        (tmp_path / f"{name}.json").write_text(json.dumps(deployment.template))
    for name, template in plain_templates().items():
        (tmp_path / f"token-refresh-{name}.json").write_text(json.dumps(template))
    templates = [*tmp_path.glob("*.json"), *assemblies.glob("*/*.template.json")]

    # W3005 warns of dependencies that the CDK writes out although a reference implies them.
    lint = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", "W3005", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 10 == len(templates)
    assert (0, "") == (lint.returncode, lint.stdout)


def test_a_breach_of_the_rules_is_no_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS Solutions' rules find keeps the application from being synthesised, and is named."""
    made = kms.Key
    monkeypatch.setattr(kms, "Key", lambda *where, **options: made(*where, **options | {"enable_key_rotation": False}))

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        synthesise(EVERYTHING, tmp_path)

    assert "AwsSolutions-KMS5" in (tmp_path / "validation-report.json").read_text()
