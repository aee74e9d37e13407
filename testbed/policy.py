"""What AWS makes of an identity policy, for the few elements that the synthesised ones have; others are refused."""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "Condition"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One permission that a call needs."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class IamPolicy:
    """Statements with every reference resolved; keeps which (statement, action, resource) ever allowed something."""

    statements: list[dict[str, Any]]
    used: set[tuple[int, str, str]] = field(default_factory=set)

    def allows(self, ask: Ask) -> bool:
        """Decide: an explicit denial wins, then an allowance, and without one nothing is allowed."""
        matching = [self._match(number, statement, ask) for number, statement in enumerate(self.statements)]
        if any(
            matched and statement["Effect"] == "Deny"
            for matched, statement in zip(matching, self.statements, strict=True)
        ):
            return False
        return any(matching)

    def grants(self, prefixes: Iterable[str]) -> list[tuple[int, str, str]]:
        """Return every single permission on actions with one of these prefixes."""
        return [
            (number, action, resource)
            for number, statement in enumerate(self.statements)
            if statement["Effect"] == "Allow"
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            if action.startswith(tuple(prefixes))
        ]

    def without(self, grant: tuple[int, str, str]) -> "IamPolicy":
        """Return the same policy with one action on one resource taken away."""
        number, action, resource = grant
        changed = []
        for other, statement in enumerate(self.statements):
            actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
            if other != number:
                changed.append(statement)
                continue
            rest = [name for name in actions if name != action]
            elsewhere = [arn for arn in resources if arn != resource]
            changed += [statement | {"Action": rest}] if rest else []
            changed += [statement | {"Action": [action], "Resource": elsewhere}] if elsewhere else []
        return IamPolicy(statements=changed)

    def _match(self, number: int, statement: dict[str, Any], ask: Ask) -> bool:
        if unknown := statement.keys() - ELEMENTS:
            raise NotImplementedError(f"policy elements {unknown}")
        if not _conditions_hold(statement.get("Condition", {}), ask.context):
            return False
        if "NotAction" in statement:  # of denials alone, which no test takes apart
            assert statement["Effect"] == "Deny"
            named = any(matches(action.lower(), ask.action.lower()) for action in as_list(statement["NotAction"]))
            return not named and any(matches(resource, ask.resource) for resource in as_list(statement["Resource"]))
        hits = {
            (number, action, resource)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
            if matches(action.lower(), ask.action.lower()) and matches(resource, ask.resource)
        }
        if statement["Effect"] == "Allow":
            self.used |= hits
        return bool(hits)


def matches(pattern: str, value: str) -> bool:
    """Match as IAM does: `*` is anything, `?` any one character, and nothing else is special."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value) is not None


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            if not _holds(operator, [str(value) for value in as_list(wanted)], context.get(key)):
                return False
    return True


def _holds(operator: str, wanted: list[str], actual: str | None) -> bool:  # noqa: PLR0911 - a table
    if operator in {"BoolIfExists", "StringEqualsIfExists"} and actual is None:
        return True
    match operator:
        case "StringEquals" | "StringEqualsIfExists" | "ArnEquals" | "Bool" | "BoolIfExists":
            return actual in wanted
        case "StringNotEquals" | "ArnNotEquals":
            return actual not in wanted
        case "ArnNotLike":
            return not any(matches(pattern, actual or "") for pattern in wanted)
        case "ForAllValues:StringLike" | "ForAllValues:StringEquals":  # several values of one key have | between them
            values = [] if actual is None else actual.split("|")
            same = matches if operator.endswith("Like") else str.__eq__
            return all(any(same(pattern, value) for pattern in wanted) for value in values)
        case "NumericLessThanEquals":
            return actual is not None and float(actual) <= float(wanted[0])
        case "Null":
            return wanted == ["true" if actual is None else "false"]
        case "StringLike" | "ArnLike":
            return actual is not None and any(matches(pattern, actual) for pattern in wanted)
        case _:
            raise NotImplementedError(f"condition operator {operator}")


class Meaning(dict[str, str]):
    """What references resolve to; the partition is AWS's own, and what nobody says stands for itself."""

    def __missing__(self, name: str) -> str:
        return "aws" if name == "AWS::Partition" else f"arn:aws:unnamed:::{name}"


def resolve(value: Any, known: Mapping[str, str]) -> Any:  # noqa: PLR0911 - a table
    """Replace CloudFormation's references by what they will be: `Name` for a Ref, `Name.Attribute` for a GetAtt."""
    match value:
        case {"Ref": name}:
            return known[name]
        case {"Fn::GetAtt": [name, attribute]}:
            return known[f"{name}.{attribute}"]
        case {"Fn::Join": [separator, parts]}:
            return separator.join(resolve(part, known) for part in parts)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(.+?)\}", lambda found: known[found[1]], text)
        case dict():
            return {key: resolve(item, known) for key, item in value.items()}
        case list():
            return [resolve(item, known) for item in value]
        case _:
            return value
