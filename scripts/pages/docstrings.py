"""What code says about itself: docstrings, also those below attributes, as the cells of a table."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import ModuleType
from typing import NamedTuple

_PAGE = re.compile(r"docs/([\w-]+)\.md(#[\w-]+)?")


class Words(NamedTuple):
    """A docstring of the form `Meaning. Default: such. Fix: do that.`; the last two may be missing."""

    meaning: str
    default: str
    fix: str


def table(*rows: Sequence[str]) -> str:
    """Return rows as a table; the first is its head."""
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *others])


def listed(*rows: tuple[str, str]) -> str:
    """Return names with what they mean as a list, which has less around its words than a table."""
    return "\n".join(f"- {name}: {meaning}" for name, meaning in rows)


def with_default(meaning: str, default: str) -> str:
    """Return what a setting means, and what it is if nobody sets it."""
    return f"{meaning} Default: {default}." if default else meaning


def words(documented: object) -> Words:
    """Return the docstring of a class or function, without its sections."""
    return _words((inspect.getdoc(documented) or "").partition("\n\nAttributes:")[0])


def attributes(documented: type | ModuleType) -> dict[str, Words]:
    """Return the docstring below each attribute of a class or module that has one."""
    match ast.parse(textwrap.dedent(inspect.getsource(documented))).body:
        case [ast.ClassDef(body=body)]:
            return dict(_documented(body))
        case body:
            return dict(_documented(body))


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, Words]]:
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, _words(text)


def _words(text: str) -> Words:
    line = _PAGE.sub(r"[\1](\1.md\2)", " ".join(text.split()))
    rest, _, fix = line.partition(" Fix: ")
    meaning, _, default = rest.partition(" Default: ")
    return Words(meaning, default.removesuffix("."), fix[:1].upper() + fix[1:])
