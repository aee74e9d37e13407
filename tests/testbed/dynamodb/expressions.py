"""Condition and update expressions of DynamoDB, as far as single items need them: parsed strictly, applied purely.

Conditions have comparisons, `attribute_exists`, `attribute_not_exists`, `AND`, `OR`, `NOT` and parentheses. Updates are
`SET path = operand, ...` and `REMOVE path, ...`; an operand is a path, a value or `if_not_exists(path, operand)`.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from testbed.aws.errors import ServiceError

Item = dict[str, Any]
Condition = Callable[[Item], bool]
Operand = Callable[[Item], Any]

_TOKEN: Final = re.compile(r"\s*(<>|<=|>=|[=<>(),]|[#:]?[A-Za-z_][A-Za-z0-9_]*)")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
RESERVED: Final = frozenset(json.loads(files("testbed.dynamodb").joinpath("reserved_words.json").read_text()))
"""Source: Amazon DynamoDB Developer Guide, "Reserved words in DynamoDB"."""
_FUNCTIONS: Final = {"attribute_exists": True, "attribute_not_exists": False}


def invalid(text: str) -> ServiceError:
    """Return the refusal of a request that makes no sense."""
    return ServiceError("ValidationException", text)


@dataclass(slots=True)
class Expression:
    """One expression, with the names and values that its request gives."""

    text: str
    names: Mapping[str, str]
    values: Mapping[str, Any]
    used: set[str] = field(default_factory=set)
    """The placeholders that it uses: a request must not give others."""
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
        condition = self._either()
        if self._tokens:
            raise invalid(f"Invalid ConditionExpression: Syntax error; token: {self._tokens[0]}")
        return condition

    def update(self) -> Callable[[Item], Item]:
        """Parse an update; it reads the item as it was before."""
        changes = list(self._changes())
        paths = [path for path, _ in changes]
        if not paths or len(paths) != len(set(paths)):
            raise invalid("Invalid UpdateExpression: it is empty, or two paths overlap")

        def apply(item: Item) -> Item:
            after = dict(item)
            for path, operand in changes:
                if operand is None:
                    after.pop(path, None)
                elif (value := operand(item)) is None:
                    raise invalid("The provided expression refers to an attribute that does not exist in the item")
                else:
                    after[path] = value
            return after

        return apply

    def _changes(self) -> Iterator[tuple[str, Operand | None]]:
        """Give each path with what is set there, or None where it is removed."""
        while self._tokens:
            action = self._take().upper()
            if action not in {"SET", "REMOVE"}:
                raise invalid(f"Invalid UpdateExpression: Syntax error; token: {action}")
            more = True
            while more:
                path = self._path(self._take())
                if action == "SET":
                    self._expect("=")
                yield path, self._operand() if action == "SET" else None
                more = self._skip(",")

    def _either(self) -> Condition:
        left = self._both()
        while self._skip("OR"):
            left = _or(left, self._both())
        return left

    def _both(self) -> Condition:
        left = self._one()
        while self._skip("AND"):
            left = _and(left, self._one())
        return left

    def _one(self) -> Condition:
        if self._skip("NOT"):
            negated = self._one()
            return lambda item: not negated(item)
        if self._skip("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._tokens and (exists := _FUNCTIONS.get(self._tokens[0])) is not None:
            self._take()
            self._expect("(")
            path = self._path(self._take())
            self._expect(")")
            return lambda item: (path in item) is exists
        return self._comparison()

    def _comparison(self) -> Condition:
        left, sign, right = self._operand(), self._take(), self._operand()
        if sign not in _COMPARE:
            raise invalid(f"Invalid ConditionExpression: Syntax error; token: {sign}")

        def compare(item: Item) -> bool:
            one, other = left(item), right(item)
            if one is None or other is None or set(one) != set(other):
                return sign == "<>"
            (kind, a), (_, b) = next(iter(one.items())), next(iter(other.items()))
            return _COMPARE[sign](float(a), float(b)) if kind == "N" else _COMPARE[sign](a, b)

        return compare

    def _operand(self) -> Operand:
        token = self._take()
        if token.startswith(":"):
            if token not in self.values:
                raise invalid(f"An expression attribute value used in expression is not defined; value: {token}")
            self.used.add(token)
            value = self.values[token]
            return lambda _: value
        if token == "if_not_exists":
            self._expect("(")
            path = self._path(self._take())
            self._expect(",")
            default = self._operand()
            self._expect(")")
            return lambda item: item.get(path) or default(item)
        path = self._path(token)
        return lambda item: item.get(path)

    def _path(self, token: str) -> str:
        if token.startswith("#"):
            if token not in self.names:
                raise invalid(f"An expression attribute name used in the document path is not defined: {token}")
            self.used.add(token)
            return self.names[token]
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


def _or(left: Condition, right: Condition) -> Condition:
    return lambda item: left(item) or right(item)


def _and(left: Condition, right: Condition) -> Condition:
    return lambda item: left(item) and right(item)
