"""Stored JSON, read strictly: what is read here can always be written back."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue

T = TypeVar("T")

NESTING_LIMIT: Final = 64
"""How deep a stored document may be nested."""


def read_object(text: SecretValue, where: str = "", field: str | None = None) -> dict[str, object]:
    """Parse a JSON object, and give it or the object in its field: no NaN, no number that a double can't hold.

    `where` names the secret in errors.
    """
    return located(partial(_read_field, text, field), where)


def write_object(fields: Mapping[str, object]) -> SecretValue:
    """Write a JSON object to store: tightly, as there is a limit, and in ASCII, so that any character can be sent."""
    return SecretValue(json.dumps(fields, separators=(",", ":")))


def located(parse: Callable[[], T], where: str = "") -> T:
    """Parse, and raise an `InvalidSecretDocument` again with `where` in front.

    The new error's traceback has no frame that holds what is stored.
    """
    try:
        return parse()
    except InvalidSecretDocument as error:
        problem, fix = error.what, error.fix
    raise InvalidSecretDocument(f"{where}: {problem}" if where else problem, fix=fix)


def json_type(value: object) -> str:
    """Name a parsed value's type as JSON names it."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _read_field(text: SecretValue, field: str | None) -> dict[str, object]:
    if field is None:
        return _read_object(text)
    found = read_object(text, f"field {field}").get(field)
    if not isinstance(found, dict):
        kind = "missing" if found is None else f"a JSON {json_type(found)}"
        raise InvalidSecretDocument(f"field {field} must be a JSON object; it is {kind}")
    return found


def _read_object(text: SecretValue) -> dict[str, object]:
    try:
        parsed = json.loads(text.reveal(), parse_constant=_read_float, parse_float=_read_float)
    except (ValueError, RecursionError):
        # Without the cause: a JSONDecodeError holds the whole text.
        raise InvalidSecretDocument("the secret's value is not JSON; it must be a JSON object") from None
    if _is_too_deep(parsed):
        raise InvalidSecretDocument(f"the secret's value is nested deeper than {NESTING_LIMIT} levels")
    if not isinstance(parsed, dict):
        raise InvalidSecretDocument(f"the secret's value is a JSON {json_type(parsed)}; it must be a JSON object")
    return parsed


def _is_too_deep(value: object) -> bool:
    """Look without recursion: a document that can't be written back would lose new tokens."""
    level = [value]
    for _ in range(NESTING_LIMIT):
        nodes = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list))
        level = [child for children in nodes for child in children]
    return bool(level)


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number
