"""What a deployment can be: `mode` chooses the parameters that are read and the stack that they make.

A new mode is a subclass of `CommonParameters`, a stack that takes `parameters` and `code`, and one entry in `MODES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack

from token_refresh_infra.common import CommonParameters
from token_refresh_infra.context import choice, names_of, read_parameters, refuse_misspelt
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_infra.fleet.stack import FleetStack
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_infra.single.stack import SingleStack
from token_refresh_infra.webhooks.parameters import WebhookParameters
from token_refresh_infra.webhooks.stack import WebhookStack

MODE, DEPLOYMENT = "mode", "deployment"
SINGLE = "single"
WEBHOOKS = "webhooks"
FLEET = "fleet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A kind of deployment.

    Attributes:
        parameters: What it may choose.
        stack: Makes the stack, as `stack(app, stack_name, parameters=..., code=...)`.
        package: Which zip it runs, as `scripts/package` names it.
    """

    parameters: type[CommonParameters]
    stack: Callable[..., Stack]
    package: str = "function"


MODES: Mapping[str, Mode] = {
    SINGLE: Mode(parameters=SingleParameters, stack=SingleStack),
    WEBHOOKS: Mode(parameters=WebhookParameters, stack=WebhookStack, package="webhooks"),
    FLEET: Mode(parameters=FleetParameters, stack=FleetStack),
}


def mode_of(values: Mapping[str, Any]) -> Mode:
    """Return the mode that a deployment chooses.

    Raises:
        ParameterError: There is no such mode.
    """
    return MODES[choice(*MODES, default=SINGLE)(MODE, values.get(MODE))]


def parameters_of(values: Mapping[str, Any]) -> CommonParameters:
    """Read and check a deployment's parameters.

    Raises:
        ParameterError: One is missing, misspelt or wrong.
    """
    cls = mode_of(values).parameters
    refuse_misspelt(values, [MODE, DEPLOYMENT, *names_of(cls)])
    return read_parameters(cls, values)
