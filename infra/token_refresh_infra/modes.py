"""What a deployment can be: `mode` chooses the parameters that are read and the stack that they make.

A new mode is a subclass of `CommonParameters`, a stack that takes `parameters` and `code`, and one entry in `MODES`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack

from token_refresh_infra.common import CommonParameters
from token_refresh_infra.context import ParameterError, choice, names_of, nearest, read_parameters
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_infra.fleet.stack import FleetStack
from token_refresh_infra.single.checks import CheckedParameters
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
    SINGLE: Mode(parameters=CheckedParameters, stack=SingleStack),
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
    # What is no word, such as `cli-telemetry`, is the CDK's own, unless it is nearly a parameter.
    known = names_of(mode_of(values).parameters)
    given = [name for name in values if name != DEPLOYMENT and not name.startswith("@aws-cdk/")]
    names = [name for name in given if name.isidentifier() or nearest(name, known)]
    refuse_unknown(values, names)
    return read_parameters(mode_of(values).parameters, values)


def refuse_unknown(values: Mapping[str, Any], names: Iterable[str], place: str = "") -> None:
    """Refuse what is no parameter of a deployment's mode.

    Args:
        values: The deployment's.
        names: Those of its values that must be parameters.
        place: Where they are, as in ` in prod.toml`.

    Raises:
        ParameterError: One is misspelt, or another mode's, or nobody's.
    """
    known = [MODE, *names_of(mode_of(values).parameters)]
    for name in names:
        if name in known:
            continue
        if others := [mode for mode, other in MODES.items() if name in names_of(other.parameters)]:
            hint = f"it is of mode {' and '.join(others)}, and this deployment is {values.get(MODE, SINGLE)}"
        elif near := nearest(name, known):
            hint = f"did you mean {near}?"
        else:
            hint = f"the parameters are: {', '.join(sorted(known))}"
        raise ParameterError(f"{name}: unknown parameter{place}; {hint}")
