"""Stand-ins: values that occur nowhere else in a synthesised template, and become references to its parameters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a template, and the value that stands for it while the stack is synthesised, if one does."""

    description: str
    stand_in: str | None = None
    pattern: str | None = None
    values: Sequence[str] = ()
    must_be: str | None = None
    """What CloudFormation answers to another value."""
    default: str | None = None
    names_field: bool = False
    """Whether its value may end in #field, which is no part of an ARN."""

    @property
    def declared(self) -> dict[str, Any]:
        """Return what the template says of it."""
        said = {
            "Description": self.description,
            "AllowedPattern": f"^{self.pattern}$" if self.pattern else None,
            "AllowedValues": self.values or None,
            "ConstraintDescription": f"must be {self.must_be}" if self.must_be else None,
            "Default": self.default,
        }
        return {"Type": "String"} | {key: value for key, value in said.items() if value is not None}

    @property
    def is_optional(self) -> bool:
        """Whether what it is for is left out where it is empty."""
        return self.default == ""


def replaced(value: Any, parameters: Mapping[str, Parameter]) -> Any:
    """Return a part of a template with references in place of stand-ins."""
    match value:
        case str():
            return _text(value, parameters)
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": _named(text, parameters)}
        case dict():
            return {key: _entry(key, item, parameters) for key, item in value.items()}
        case list():
            return [replaced(item, parameters) for item in value]
        case _:
            return value


def _entry(key: str, value: Any, parameters: Mapping[str, Parameter]) -> Any:
    match key, value:
        case "Variables", dict():
            return {name: _unless_empty(item, parameters) for name, item in value.items()}
        case "Resource", list():
            return [_unless_empty(item, parameters) for item in value]
        case _:
            return replaced(value, parameters)


def _unless_empty(value: Any, parameters: Mapping[str, Parameter]) -> Any:
    """Return a variable, or a resource of a policy, that is left out where its parameter is empty."""
    text = json.dumps(value)
    for name, parameter in parameters.items():
        if parameter.is_optional and parameter.stand_in and parameter.stand_in in text:
            return {"Fn::If": [f"Has{name}", replaced(value, parameters), {"Ref": "AWS::NoValue"}]}
    return replaced(value, parameters)


def _text(text: str, parameters: Mapping[str, Parameter]) -> Any:
    for name, parameter in parameters.items():
        if text == parameter.stand_in:
            return {"Ref": name}
    escaped = text.replace("${", "${!")
    said = _named(escaped, parameters)
    fields = {
        name: {"Fn::Select": [0, {"Fn::Split": ["#", {"Ref": name}]}]}
        for name, parameter in parameters.items()
        if parameter.names_field and f"${{{name}}}" in said
    }
    return text if said == escaped else {"Fn::Sub": [said, fields] if fields else said}


def _named(text: str, parameters: Mapping[str, Parameter]) -> str:
    for name, parameter in parameters.items():
        if parameter.stand_in:
            text = text.replace(parameter.stand_in, f"${{{name}}}")
    return text
