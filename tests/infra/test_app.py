import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint import ManualArgs
from cfnlint.api import lint_file

import app
from examples import drawn
from infra.conftest import EVERYTHING, RECEIVER, WHOLE_FLEET
from infra.deployments import FILES, PROFILE, of_each_parameter, together, untried
from testbed.synthesis import FLAGS, plain_templates
from token_refresh_infra import common
from token_refresh_infra.deployment_file import read_deployment
from token_refresh_infra.modes import MODES, parameters_of

from aws_cdk import App  # isort: skip - after our package, which chooses the node that this starts
from aws_cdk import aws_kms as kms  # isort: skip

HERE = {"account": "123456789012", "region": "eu-central-1"}


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


@pytest.fixture
def as_users_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Path, receiver_zip: Path
) -> Callable[[str], None]:
    """Synthesise a deployment's file as `scripts/deploy synth` does, with the profiles that pages speak of."""
    monkeypatch.setattr(app, "build_zip", lambda what, *_: receiver_zip if what == "webhooks" else code)
    monkeypatch.setattr(common, "ROOT", tmp_path)
    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", "123456789012")
    monkeypatch.setenv("CDK_DEFAULT_REGION", "eu-central-1")
    (tmp_path / "profiles").mkdir()
    for name in ("my-crm", "mcp"):
        (tmp_path / "profiles" / f"{name}.toml").write_text(PROFILE)

    def made(text: str) -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)  # of a deployment before
        (tmp_path / "prod.toml").write_text(text)
        app.synthesise(App(context=FLAGS | {"deployment": "prod"}, outdir=str(tmp_path / "out")), tmp_path)
        assert 1 == len([*(tmp_path / "out").glob("*.template.json")])

    return made


@pytest.mark.parametrize("text", [pytest.param(text, id=page) for page, text in drawn(FILES, 3)])
def test_files_of_pages(as_users_do: Callable[[str], None], text: str) -> None:
    """Each deployment file on a page can be synthesised, and is clean by AWS Solutions' rules; a third in each run."""
    as_users_do(text)


@pytest.mark.usefixtures("as_users_do")
def test_each_file_of_a_page_is_read(tmp_path: Path) -> None:
    """Each deployment file on a page has only parameters that there are, with values that they take, in each run."""
    for _, text in FILES:
        (tmp_path / "prod.toml").write_text(text)
        read_deployment("prod", defaults=HERE, folder=tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_each_parameter(as_users_do: Callable[[str], None], mode: str) -> None:
    """Each value of each parameter can be alone; with it a deployment can be synthesised, and is clean by the rules.

    A third of the deployments in each run, each night all.
    """
    assert set() == untried()
    alone = of_each_parameter(mode)
    for values in alone:
        parameters_of({"environment": "prod"} | HERE | values)

    for values in drawn(together(alone), 3):
        as_users_do("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))


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


def test_each_mode_has_its_zip(assemblies: Path, code: Path, receiver_zip: Path) -> None:
    """What is deployed of each mode is the zip of that mode."""
    for mode, expected in (("secret", code), ("fleet", code), ("webhooks", receiver_zip)):
        (asset,) = (assemblies / mode).glob("asset.*.zip")
        assert expected.read_bytes() == asset.read_bytes()


WHOLE, PLAIN = ("secret", "fleet", "webhooks"), ("single", "single-one-hour", "plain fleet", "plain webhooks")
"""The modes with every option, and the templates of a release."""


@pytest.mark.parametrize("name", drawn([*WHOLE, "adopted", *PLAIN], 4))
def test_templates_are_valid(tmp_path: Path, assemblies: Path, request: pytest.FixtureRequest, name: str) -> None:
    """Each template has valid resources; each run looks at a deployment's and a release's, each night at all."""
    file = tmp_path / "template.json"
    if name in WHOLE:
        (file,) = (assemblies / name).glob("*.template.json")
    elif name in PLAIN:
        file.write_text(json.dumps(plain_templates()[name.removeprefix("plain ")]))
    else:
        file.write_text(json.dumps(request.getfixturevalue(name).template))

    # W3005 warns of dependencies that the CDK writes out although a reference implies them.
    assert [] == lint_file(file, config=ManualArgs(ignore_checks=["W3005"]))


def test_a_breach_of_the_rules_is_no_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS Solutions' rules find keeps the application from being synthesised, and is named."""
    made = kms.Key
    monkeypatch.setattr(kms, "Key", lambda *where, **options: made(*where, **options | {"enable_key_rotation": False}))

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        synthesise(EVERYTHING, tmp_path)

    assert "AwsSolutions-KMS5" in (tmp_path / "validation-report.json").read_text()
