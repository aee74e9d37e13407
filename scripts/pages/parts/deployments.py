"""What a deployment can set: each parameter with its default."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

from pages.docstrings import attributes, table
from token_refresh_infra.common import CommonParameters
from token_refresh_infra.context import ParameterError
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_infra.single.parameters import SingleParameters


def common() -> str:
    """Return the parameters that every mode has."""
    return parameters(CommonParameters)


def single() -> str:
    """Return those of one worker."""
    return parameters(SingleParameters)


def fleet() -> str:
    """Return those of a fleet."""
    return parameters(FleetParameters)


def parameters(cls: type) -> str:
    """Return the parameters that a class declares itself."""
    hints, docs = get_type_hints(cls, include_extras=True), attributes(cls)
    rows = (
        (f"`{name}`", docs[name].default or _default(name, hints[name]), docs[name].meaning)
        for name in inspect.get_annotations(cls)
    )
    return table(("parameter", "default", "meaning"), *rows)


def _default(name: str, hint: Any) -> str:
    """Return what its reader makes of a parameter that is not set."""
    try:
        found = hint.__metadata__[0](name, None)
    except ParameterError:
        return "required"
    match found:
        case None | ():
            return "none"
        case bool():
            return f"`{str(found).lower()}`"
        case int():
            return str(found)
        case _:
            return f"`{found}`"
