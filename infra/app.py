"""Synthesise a deployment for the `cdk` command: `-c deployment=NAME` reads infra/deployments/NAME.toml."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # what is imported below takes seconds
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends this as it ends the cdk command, without a traceback

from token_refresh_infra.context import ParameterError
from token_refresh_infra.deployment_file import FOLDER, read_deployment
from token_refresh_infra.modes import DEPLOYMENT, mode_of, parameters_of

from aws_cdk import App, Validations  # isort: skip - after our package, which chooses the node that this starts
from cdk_nag import AwsSolutionsChecks  # isort: skip

ROOT = Path(__file__).resolve().parent.parent


def synthesise(app: App, folder: Path = FOLDER) -> None:
    """Read the parameters, build the zip if it is stale, synthesise, and check against AWS Solutions' rules."""
    context: dict[str, Any] = app.node.get_all_context()
    credentials = {"account": os.environ.get("CDK_DEFAULT_ACCOUNT"), "region": os.environ.get("CDK_DEFAULT_REGION")}
    try:
        if name := context.get(DEPLOYMENT):
            values, parameters = read_deployment(name, context, defaults=credentials, folder=folder)
        else:
            values = credentials | context
            parameters = parameters_of(values)
    except ParameterError as error:
        sys.exit(f"infra/app.py: {error}")
    mode = mode_of(values)
    code = build_zip(mode.package, parameters.own_profiles, parameters.python)
    mode.stack(app, parameters.stack_name, parameters=parameters, code=code)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


def build_zip(what: str, provider_profiles: str | None = None, python: str = "3.13") -> Path:
    """Return one of the zips that `scripts/package` builds, built anew if it is stale."""
    script = ROOT / "scripts" / "package"
    environment = {**os.environ, "PROVIDER_PROFILES": provider_profiles or "", "FUNCTION_PYTHON": python}
    built = subprocess.run(  # noqa: S603 - our own
        [script, what], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return ROOT / built.stdout.strip()


if __name__ == "__main__":
    synthesise(App())
