"""Read values out of the CDK's context, which come as strings from a command line and typed from a file."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


class ParameterError(ValueError):
    """A parameter is missing or wrong; the message begins with its name and says what it must be."""


@dataclass(frozen=True, slots=True)
class Context:
    """Typed access to the context; every error names the key."""

    values: Mapping[str, Any]

    def refuse_misspelt(self, known: Collection[str]) -> None:
        """Refuse a key that is nearly a parameter; other keys belong to the CDK or to the user."""
        for key in self.values:
            near = [] if key in known else difflib.get_close_matches(key, known, n=1, cutoff=0.8)
            if near:
                raise ParameterError(f"{key}: is no parameter; did you mean {near[0]}?")

    def text(self, name: str, *, pattern: str, must_be: str) -> str | None:
        """Return the text under `name`, or nothing where it is absent or empty."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ParameterError(f"{name}: must be {must_be}, is {value!r}")
        return value

    def choice(self, name: str, allowed: Collection[str], *, default: str | None = None) -> str:
        """Return one of the allowed words; required where there is no default."""
        words = ", ".join(allowed)
        value = self.values.get(name, default)
        if value is None:
            raise ParameterError(f"{name}: is required: one of {words} (cdk: -c {name}={next(iter(allowed))})")
        if str(value) not in allowed:
            raise ParameterError(f"{name}: must be one of {words}, is {value!r}")
        return str(value)

    def whole(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number within its bounds, both included."""
        value = self.values.get(name, default)
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise ParameterError(f"{name}: must be a whole number from {low} to {high}, is {value!r}")
        return int(text)

    def switch(self, name: str, *, default: bool) -> bool:
        """Return whether something is on."""
        value = self.values.get(name, default)
        text = str(value).lower()
        if text not in _TRUE + _FALSE:
            raise ParameterError(f"{name}: must be true or false, is {value!r}")
        return text in _TRUE
