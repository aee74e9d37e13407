"""Synthesise the deployment as the `cdk` command has it done: context in, templates and the zip out."""

import os
import subprocess
import sys
from pathlib import Path

from token_refresh_infra.context import ParameterError
from token_refresh_infra.parameters import Parameters
from token_refresh_infra.stack import TokenRefreshStack

from aws_cdk import App, Validations  # isort: skip - after our package, which chooses the node that this starts
from cdk_nag import AwsSolutionsChecks  # isort: skip

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Read the parameters, build the zip where it is stale, check against AWS Solutions' rules, and synthesise."""
    app = App()
    surroundings = {"account": os.environ.get("CDK_DEFAULT_ACCOUNT"), "region": os.environ.get("CDK_DEFAULT_REGION")}
    try:
        parameters = Parameters.from_context(surroundings | app.node.get_all_context())
    except ParameterError as error:
        sys.exit(f"infra/app.py: {error}")
    TokenRefreshStack(app, parameters.stack_name, parameters=parameters, code=build_zip())
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


def build_zip() -> Path:
    """Return the function's zip, built anew where it is stale."""
    built = subprocess.run([ROOT / "scripts" / "package"], check=True, stdout=subprocess.PIPE, text=True)
    return ROOT / built.stdout.strip()


if __name__ == "__main__":
    main()
