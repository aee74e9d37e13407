"""What the CDK makes of a deployment's parameters, for the pages that are about it."""

import tempfile
from typing import Any

from token_refresh_infra.modes import mode_of, parameters_of

from aws_cdk import App, assertions  # isort: skip - after our package, which chooses the node that this starts


def resources(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the template's resources by their logical IDs."""
    parameters = parameters_of(values)
    with tempfile.TemporaryDirectory() as code:
        stack = mode_of(values).stack(App(), parameters.stack_name, parameters=parameters, code=code)
        found: dict[str, dict[str, Any]] = assertions.Template.from_stack(stack).to_json()["Resources"]
    return found
