"""Read a TOML table with a schema. Every error names file and key, and says what the value must be."""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from token_refresh.errors import ConfigurationError

_T = TypeVar("_T")
_Choice = TypeVar("_Choice", bound=StrEnum)

_REQUIRED: Final = object()
_LONGEST_SECONDS: Final = 20 * 366 * 86_400
# One line: values go into headers, messages and terminals.
_LINE: Final = r"[^\n]+"


class TomlTable:
    """One table of a profile. What reads a missing, unknown or wrong key raises `ConfigurationError`."""

    def __init__(self, values: object, where: str) -> None:
        """Describe what the file has at `where`: file and key, for error messages."""
        if not isinstance(values, dict):
            raise ConfigurationError(f"{where} must be a table")
        self._values: Mapping[str, Any] = values
        self._where = where
        self._known: set[str] = set()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that the file has."""
        return tuple(self._values)

    def value(self, key: str, parse: Callable[[Any], _T], must_be: str, default: Any = _REQUIRED) -> _T:
        """Read a value with `parse`, which raises ValueError or TypeError for a wrong one."""
        self._known.add(key)
        if key not in self._values and default is not _REQUIRED:
            found: _T = default
            return found
        try:
            return parse(self._values[key])
        except KeyError:
            raise ConfigurationError(f"{self._where}: {key} is missing; it must be {must_be}") from None
        # `re.compile` overflows on a huge repeat, and recurses into each group.
        except (ValueError, TypeError, OverflowError, RecursionError, re.error):
            raise self.error(key, must_be) from None

    def text(self, key: str, default: Any = _REQUIRED, *, pattern: str = _LINE) -> Any:
        """Read a string that matches `pattern` as a whole."""
        return self.value(key, lambda value: _matching(value, pattern), f"a string that matches {pattern}", default)

    def choice(self, key: str, kind: type[_Choice], default: Any = _REQUIRED) -> _Choice:
        """Read one of the values of an enumeration."""
        return self.value(key, kind, f"one of {', '.join(kind)}", default)

    def integer(self, key: str, default: Any = _REQUIRED, *, low: int, high: int) -> Any:
        """Read a whole number within its bounds, both included."""

        def parse(value: object) -> int:
            # `isinstance` takes true for 1.
            if type(value) is not int or not low <= value <= high:
                raise ValueError
            return value

        return self.value(key, parse, f"a whole number from {low} to {high}", default)

    def seconds(self, key: str, *, low: int = 1) -> timedelta | None:
        """Read a duration; None where the key is absent."""
        seconds = self.integer(key, None, low=low, high=_LONGEST_SECONDS)
        return None if seconds is None else timedelta(seconds=seconds)

    def switch(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        return self.value(key, lambda value: _instance(value, bool), "true or false", default)

    def day(self, key: str, default: Any = _REQUIRED) -> Any:
        """Read a date."""
        must_be = "a date without quotes, such as 2026-11-24"
        return self.value(key, lambda value: _instance(value, date), must_be, default)

    def texts(self, key: str, *, pattern: str = _LINE) -> tuple[str, ...]:
        """Read a list of strings; empty where the key is absent."""

        def parse(value: object) -> tuple[str, ...]:
            return tuple(_matching(item, pattern) for item in _instance(value, list))

        return self.value(key, parse, f"a list of strings that match {pattern}", ())

    def texts_by_key(self, key: str, *, keys: str, values: str = r"[^\n]*") -> dict[str, str]:
        """Read a table of strings; empty where the key is absent."""

        def parse(value: object) -> dict[str, str]:
            return {_matching(k, keys): _matching(v, values) for k, v in _instance(value, dict).items()}

        return self.value(key, parse, f"a table of strings; its keys match {keys}, its values {values}", {})

    def table(self, key: str, read: "Callable[[TomlTable], _T]") -> _T:
        """Read a table in this table with `read`; an absent one is empty."""
        self._known.add(key)
        return TomlTable(self._values.get(key, {}), f"{self._where}: {key}").read_all(read)

    def tables(self, key: str, read: "Callable[[TomlTable], _T]") -> tuple[_T, ...]:
        """Read each table of a list with `read`; none where the key is absent."""
        found = self.value(key, lambda value: _instance(value, list), "a list of tables", [])
        tables = (TomlTable(values, f"{self._where}: {key}[{number}]") for number, values in enumerate(found))
        return tuple(table.read_all(read) for table in tables)

    def error(self, key: str, must_be: str) -> ConfigurationError:
        """Return the error for a wrong value."""
        return ConfigurationError(f"{self._where}: {key} must be {must_be}")

    def read_all(self, read: "Callable[[TomlTable], _T]") -> _T:
        """Read all of it with `read`, and refuse unknown keys: a misspelt key would silently have no effect."""
        found = read(self)
        for key in self._values:
            if key not in self._known:
                raise ConfigurationError(
                    f"{self._where}: there is no key {key}; the keys here are {', '.join(sorted(self._known))}"
                )
        return found


def _matching(value: object, pattern: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError
    return value


def _instance(value: object, kind: type[_T]) -> _T:
    # Exactly: TOML's times of day are dates, too, and Python's true is an int.
    if type(value) is not kind:
        raise ValueError
    return value
