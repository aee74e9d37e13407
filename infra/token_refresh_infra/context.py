"""How a parameter is read and checked: each field of a parameters class is annotated with one of these readers.

    memory_mb: Annotated[int, whole(256, low=128, high=10240)]

Values are text on a command line and typed in a file. Both are accepted.
"""

import dataclasses
import difflib
import functools
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, get_type_hints

Parameters = TypeVar("Parameters")
Reader = Callable[[str, Any], Any]
"""Takes the parameter's name and its value, or nothing where it isn't set."""

_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


@dataclasses.dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Reads several parameters alike into one field, a mapping that holds those that are set."""

    names: Mapping[str, str]
    """The key of each parameter in the mapping."""
    reader: Reader

    def read_all(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Read those that are set."""
        found = {key: self.reader(name, values.get(name)) for name, key in self.names.items()}
        return {key: value for key, value in found.items() if value is not None}


class ParameterError(ValueError):
    """A parameter is missing or wrong. The message begins with its name and says what it must be."""


def read_parameters(cls: type[Parameters], values: Mapping[str, Any]) -> Parameters:
    """Read every field of a parameters class.

    Raises:
        ParameterError: A value is missing or wrong.
    """
    return cls(
        **{
            field: reader.read_all(values) if isinstance(reader, ParameterGroup) else reader(field, values.get(field))
            for field, reader in readers_of(cls).items()
        }
    )


def names_of(cls: type) -> list[str]:
    """Return the names of a class's parameters."""
    readers = readers_of(cls).items()
    return [
        name for field, reader in readers for name in (reader.names if isinstance(reader, ParameterGroup) else (field,))
    ]


def readers_of(cls: type) -> dict[str, "Reader | ParameterGroup"]:
    """Return what reads each field of a parameters class."""
    hints = _hints_of(cls)
    return {field.name: hints[field.name].__metadata__[0] for field in dataclasses.fields(cls)}


@functools.cache  # they are asked for again with each template
def _hints_of(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the parameter that an unknown name was probably meant to be."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    return near[0] if near else None


def text(pattern: str, must_be: str, *, default: str | None = None) -> Reader:
    """Read text that matches a pattern; nothing, or the default, where it is absent or empty."""

    def read(name: str, value: Any) -> str | None:
        if value is None or value == "":
            return default
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ParameterError(f"{name}: must be {must_be}, is {value!r}")
        return value

    return read


def required(reader: Reader, *, example: str) -> Reader:
    """Read a value that has no default; without it the error has the example."""

    def read(name: str, value: Any) -> Any:
        found = reader(name, value)
        if found is None:
            line = f'write {name} = "{example}" into the deployment\'s file (cdk: -c {name}={example})'
            raise ParameterError(f"{name}: is required: {line}")
        return found

    return read


def optional(reader: Reader) -> Reader:
    """Read a value whose default something else decides."""

    def read(name: str, value: Any) -> Any:
        return None if value is None or value == "" else reader(name, value)

    return read


def several(pattern: str, must_be: str) -> Reader:
    """Read a list of texts, written with commas on a command line."""
    one = text(pattern, must_be)

    def read(name: str, value: Any) -> tuple[str, ...]:
        items = value if isinstance(value, list) else str(value or "").split(",")
        return tuple(filter(None, (one(name, item.strip() if isinstance(item, str) else item) for item in items)))

    return read


def choice(*allowed: str, default: str) -> Reader:
    """Read one of the allowed words."""

    def read(name: str, value: Any) -> str:
        word = default if value is None else str(value)
        if word not in allowed:
            raise ParameterError(f"{name}: must be one of {', '.join(allowed)}, is {value!r}")
        return word

    return read


def whole(default: int, *, low: int, high: int) -> Reader:
    """Read a whole number within its bounds, both included."""

    def read(name: str, value: Any) -> int:
        number = str(default if value is None else value)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", number) or not low <= int(number) <= high:
            raise ParameterError(f"{name}: must be a whole number from {low} to {high}, is {value!r}")
        return int(number)

    return read


def switch(*, default: bool) -> Reader:
    """Read whether something is on."""

    def read(name: str, value: Any) -> bool:
        word = str(default if value is None else value).lower()
        if word not in _TRUE + _FALSE:
            raise ParameterError(f"{name}: must be true or false, is {value!r}")
        return word in _TRUE

    return read
