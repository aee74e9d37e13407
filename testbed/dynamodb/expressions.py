"""Condition and update expressions of DynamoDB, as far as the claim table needs them; all else is refused.

Conditions are `path = :value` and `attribute_not_exists(path)`, with `AND` and `OR`. Updates are
`SET path = :value, ...` and `REMOVE path, ...`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from testbed.aws.errors import ServiceError

Item = dict[str, Any]
Condition = Callable[[Item], bool]

_TOKEN: Final = re.compile(r"\s*([=(),]|:?[A-Za-z_][A-Za-z0-9_]*)")
RESERVED: Final = frozenset(json.loads(files("testbed.dynamodb").joinpath("reserved_words.json").read_text()))
"""Source: Amazon DynamoDB Developer Guide, "Reserved words in DynamoDB"."""


def invalid(text: str) -> ServiceError:
    """Return the refusal of a request that makes no sense."""
    return ServiceError("ValidationException", text)


@dataclass(slots=True)
class Expression:
    """One expression, with the values that its request gives."""

    text: str
    values: Mapping[str, Any]
    used: set[str] = field(default_factory=set)
    """The values that it uses: a request must not give others."""
    _tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        at = 0
        while at < len(self.text.rstrip()):
            found = _TOKEN.match(self.text, at)
            if found is None:
                raise invalid(f"Invalid expression: Syntax error near {self.text[at : at + 8]!r}")
            self._tokens.append(found[1])
            at = found.end()

    def condition(self) -> Condition:
        """Parse a condition."""
        either = [self._all()]
        while self._skip("OR"):
            either.append(self._all())
        if self._tokens:
            raise invalid(f"Invalid ConditionExpression: Syntax error; token: {self._tokens[0]}")
        return lambda item: any(all(holds(item) for holds in every) for every in either)

    def update(self) -> Callable[[Item], Item]:
        """Parse an update."""
        changes = list(self._changes())
        if not changes or len(changes) != len(dict(changes)):
            raise invalid("Invalid UpdateExpression: it is empty, or two paths overlap")
        return lambda item: {path: value for path, value in (item | dict(changes)).items() if value is not None}

    def _changes(self) -> Iterator[tuple[str, Any]]:
        """Give each path with its new value, or None where it is removed."""
        while self._tokens:
            action = self._take().upper()
            if action not in {"SET", "REMOVE"}:
                raise invalid(f"Invalid UpdateExpression: Syntax error; token: {action}")
            more = True
            while more:
                path = self._path()
                yield path, self._value() if action == "SET" else None
                more = self._skip(",")

    def _all(self) -> list[Condition]:
        found = [self._one()]
        while self._skip("AND"):
            found.append(self._one())
        return found

    def _one(self) -> Condition:
        if self._skip("ATTRIBUTE_NOT_EXISTS"):
            self._expect("(")
            missing = self._path()
            self._expect(")")
            return lambda item: missing not in item
        path, value = self._path(), self._value()
        return lambda item: item.get(path) == value

    def _value(self) -> Any:
        self._expect("=")
        token = self._take()
        if token not in self.values:
            raise invalid(f"An expression attribute value used in expression is not defined; value: {token}")
        self.used.add(token)
        return self.values[token]

    def _path(self) -> str:
        token = self._take()
        if token.upper() in RESERVED:
            raise invalid(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", token):
            raise invalid(f"Invalid expression: Syntax error; token: {token}")
        return token

    def _take(self) -> str:
        if not self._tokens:
            raise invalid("Invalid expression: it ends too early")
        return self._tokens.pop(0)

    def _skip(self, token: str) -> bool:
        if self._tokens and self._tokens[0].upper() == token:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise invalid(f"Invalid expression: expected {token}")
