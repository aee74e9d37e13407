"""Deployments as files: `infra/deployments/NAME.toml` holds the parameters of one, flat, one a line, kept in git.

A name that ends in `.toml` is the path of a file elsewhere.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from token_refresh_infra.common import CommonParameters
from token_refresh_infra.context import ParameterError
from token_refresh_infra.modes import DEPLOYMENT, parameters_of, refuse_unknown

FOLDER = Path(__file__).resolve().parent.parent / "deployments"
_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Return where a deployment's file is, or belongs."""
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not re.fullmatch(_NAME, path.stem if name.endswith(".toml") else name):
        raise ParameterError(f"{DEPLOYMENT}: must be lower case letters, digits and hyphens, is {name!r}")
    return path


def read_values(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """Return what a deployment's file says; `environment` is the file's name unless the file says otherwise.

    Raises:
        ParameterError: The file is missing, is not TOML, or has a name in it that no parameter has.
    """
    path = path_of(name, folder)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ParameterError(
            f"{DEPLOYMENT}: {path} does not exist; make it: echo 'environment = \"{path.stem}\"' > {path}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{DEPLOYMENT}: {path} is not TOML: {error}") from None
    refuse_unknown(values, values, f" in {path}")
    return {"environment": path.stem} | values


def read_deployment(
    name: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    folder: Path = FOLDER,
) -> tuple[dict[str, Any], CommonParameters]:
    """Return a deployment's values and what they mean: the file's, over the defaults and under one run's overrides.

    Raises:
        ParameterError: A value is wrong, or another deployment's file makes the same stack.
    """
    values = dict(defaults or {}) | read_values(name, folder) | dict(overrides or {})
    parameters = parameters_of(values)
    _check_others(path_of(name, folder), parameters)
    return values, parameters


def _check_others(own: Path, parameters: CommonParameters) -> None:
    """Refuse two files for one stack: deploying the second would take the first one's function and schedule away.

    What else can't be side by side, the mode says.
    """
    for path in sorted(own.parent.glob("*.toml")):
        if path == own:
            continue
        try:
            other = parameters_of(read_values(str(path)))
        except ParameterError:
            continue  # its own deployment says what is wrong with it
        if _in_different_places(parameters, other):
            continue
        if other.stack_name == parameters.stack_name:
            raise ParameterError(
                f"service: {path.name} makes the stack {other.stack_name}, too, and deploying this one would replace "
                "it; give one of them another service, or a stack name in stack"
            )
        parameters.check_beside(other, path.name)


def _in_different_places(one: CommonParameters, other: CommonParameters) -> bool:
    """Tell whether two deployments are certainly in different accounts or regions."""
    return any(a and b and a != b for a, b in ((one.account, other.account), (one.region, other.region)))
