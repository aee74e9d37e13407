"""Condition and update expressions of DynamoDB, as far as claims and a fleet's index need them; all else is refused.

Conditions compare a path with a value (`=`, `<`, `>`), call `attribute_not_exists` and `attribute_type`, and join with
`AND`, `OR`, `NOT` and parentheses. Updates are `SET` (also with `if_not_exists`), `REMOVE`, and of sets `ADD` and
`DELETE`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from testbed.aws.errors import ServiceError

Item = dict[str, Any]
Values = Mapping[str, Any]
Condition = Callable[[Item, Values], bool]
Change = Callable[[Item, Values], Any]
"""Returns the new value of a path; None removes it."""

_TOKEN: Final = re.compile(r"\s*([=<>(),]|[:#]?[A-Za-z_][A-Za-z0-9_]*)")
RESERVED: Final = frozenset(json.loads(files("testbed.dynamodb").joinpath("reserved_words.json").read_text()))
"""Source: Amazon DynamoDB Developer Guide, "Reserved words in DynamoDB"."""


class Update(NamedTuple):
    """What an update changes, and the values that it uses: a request must not give others."""

    changes: Mapping[str, Change]
    used: frozenset[str]

    def apply(self, item: Item, values: Values) -> Item:
        """Return the item as the update leaves it."""
        changed = {path: change(item, values) for path, change in self.changes.items()}
        return {path: value for path, value in (item | changed).items() if value is not None}


def invalid(text: str) -> ServiceError:
    """Return the refusal of a request that makes no sense."""
    return ServiceError("ValidationException", text)


def updated(item: Item | None, request: Mapping[str, Any]) -> Item:
    """Return an item as an `UpdateItem` leaves it.

    Raises:
        ServiceError: The request makes no sense, or its condition does not hold.
    """
    values = request.get("ExpressionAttributeValues", {})
    names = tuple(sorted(request.get("ExpressionAttributeNames", {}).items()))
    update = _update(request.get("UpdateExpression", ""), names)
    condition, used = _condition(request.get("ConditionExpression", ""), names)
    used |= update.used
    for unknown in sorted(used - values.keys())[:1]:
        raise invalid(f"An expression attribute value used in expression is not defined; value: {unknown}")
    if unused := sorted(values.keys() - used):
        raise invalid(f"Value provided in ExpressionAttributeValues unused in expressions: {unused}")
    if not condition(item or {}, values):
        raise ServiceError("ConditionalCheckFailedException", "The conditional request failed")
    return update.apply(item or dict(request["Key"]), values)


@lru_cache
def _update(text: str, names: tuple[tuple[str, str], ...]) -> Update:
    parser = _Parser(text, dict(names))
    changes = list(parser.changes())
    if not changes or len(changes) != len(dict(changes)):
        raise invalid("Invalid UpdateExpression: it is empty, or two paths overlap")
    return Update(dict(changes), frozenset(parser.used))


@lru_cache
def _condition(text: str, names: tuple[tuple[str, str], ...]) -> tuple[Condition, frozenset[str]]:
    if not text:
        return lambda _item, _values: True, frozenset()
    parser = _Parser(text, dict(names))
    found = parser.any_of()
    if parser.tokens:
        raise invalid(f"Invalid ConditionExpression: Syntax error; token: {parser.tokens[0]}")
    return found, frozenset(parser.used)


class _Parser:
    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self.tokens: list[str] = []
        self.used: set[str] = set()
        self._names, self._last, at = names, "", 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise invalid(f"Invalid expression: Syntax error near {text[at : at + 8]!r}")
            self.tokens.append(found[1])
            at = found.end()

    def changes(self) -> Iterator[tuple[str, Change]]:
        """Parse an update."""
        actions = {"SET": self._set, "REMOVE": self._remove, "ADD": self._add, "DELETE": self._delete}
        while self.tokens:
            token = self._take()
            if token.upper() not in actions:
                raise invalid(f"Invalid UpdateExpression: Syntax error; token: {token}")
            more = True
            while more:
                yield self._path(), actions[token.upper()]()
                more = self._skip(",")

    def any_of(self) -> Condition:
        """Parse a condition."""
        parts = [self._all_of()]
        while self._skip("OR"):
            parts.append(self._all_of())
        return lambda item, values: any(holds(item, values) for holds in parts)

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self._skip("AND"):
            parts.append(self._one())
        return lambda item, values: all(holds(item, values) for holds in parts)

    def _one(self) -> Condition:
        if self._skip("NOT"):
            denied = self._one()
            return lambda item, values: not denied(item, values)
        if self._skip("("):
            inner = self.any_of()
            self._expect(")")
            return inner
        if self._skip("ATTRIBUTE_NOT_EXISTS"):
            self._expect("(")
            missing = self._path()
            self._expect(")")
            return lambda item, _values: missing not in item
        if self._skip("ATTRIBUTE_TYPE"):
            self._expect("(")
            path = self._path()
            self._expect(",")
            kind = self._value()
            self._expect(")")
            return lambda item, values: values[kind]["S"] in item.get(path, {})
        return self._comparison()

    def _comparison(self) -> Condition:
        path, sign = self._path(), self._take()
        value = self._value()
        if sign == "=":
            return lambda item, values: path in item and _comparable(item[path]) == _comparable(values[value])
        if sign not in {"<", ">"}:
            raise invalid(f"Invalid ConditionExpression: Syntax error; token: {sign}")
        larger = sign == ">"

        def compare(item: Item, values: Values) -> bool:
            # Of different types, nothing is larger.
            if item.get(path, {}).keys() != values[value].keys():
                return False
            ours, theirs = _comparable(item[path]), _comparable(values[value])
            return bool(ours > theirs if larger else ours < theirs)

        return compare

    def _set(self) -> Change:
        self._expect("=")
        if self._skip("IF_NOT_EXISTS"):
            self._expect("(")
            path = self._path()
            self._expect(",")
            default = self._value()
            self._expect(")")
            return lambda item, values: item.get(path, values[default])
        value = self._value()
        return lambda _item, values: values[value]

    def _remove(self) -> Change:
        return lambda _item, _values: None

    def _add(self) -> Change:
        path, value = self._last, self._value()
        return lambda item, values: {
            kind: sorted({*item.get(path, {}).get(kind, ()), *more}) for kind, more in values[value].items()
        }

    def _delete(self) -> Change:
        path, value = self._last, self._value()

        def remaining(item: Item, values: Values) -> Any:
            left = {kind: sorted({*item.get(path, {}).get(kind, ())} - {*gone}) for kind, gone in values[value].items()}
            return left if all(left.values()) else None  # a set can't be empty

        return remaining

    def _value(self) -> str:
        token = self._take()
        if not token.startswith(":"):
            raise invalid(f"An expression attribute value used in expression is not defined; value: {token}")
        self.used.add(token)
        return token

    def _path(self) -> str:
        token = self._take()
        if token.startswith("#"):
            if token not in self._names:
                raise invalid(f"An expression attribute name used in expression is not defined; name: {token}")
            self._last = self._names[token]
            return self._last
        if token.upper() in RESERVED:
            raise invalid(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", token):
            raise invalid(f"Invalid expression: Syntax error; token: {token}")
        self._last = token
        return token

    def _take(self) -> str:
        if not self.tokens:
            raise invalid("Invalid expression: it ends too early")
        return self.tokens.pop(0)

    def _skip(self, token: str) -> bool:
        if self.tokens and self.tokens[0].upper() == token:
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise invalid(f"Invalid expression: expected {token}")


def _comparable(value: Mapping[str, Any]) -> Any:
    """Numbers compare as numbers, however they are written."""
    return float(value["N"]) if "N" in value else value.get("S", value)
