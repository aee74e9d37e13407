"""The bugs that people make, as changes of a syntax tree: what is lost, swapped, forgotten or taken for another.

Linters find the others: one thing stands in another's place only where both have the same type.
"""

import ast
import builtins
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

_OPPOSITES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,  # codespell:ignore - a name of Python
}
_COMPARED: Final = _OPPOSITES | {after: before for before, after in _OPPOSITES.items()}
_OTHER_FUNCTION: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SMALL: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """One change at one node; `new` takes its place."""

    kind: str
    node: ast.AST = field(repr=False)
    new: Any = field(repr=False)
    """A node, or the statements that are left of one."""
    lines: range
    """Those of the statement, or of the head of one that has others in it."""

    @property
    def before(self) -> str:
        """What was there, in one line."""
        return _line(self.node)

    @property
    def after(self) -> str:
        """What is there now, in one line."""
        return " ".join(map(_line, self.new)) if isinstance(self.new, list) else _line(self.new)


def _line(node: ast.AST) -> str:
    if isinstance(node, ast.comprehension | ast.match_case | ast.keyword | ast.ExceptHandler):
        return type(node).__name__
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())[:90]


@dataclass(frozen=True, slots=True)
class Types:
    """The types that a program states: of parameters and fields by the name of what is called, and of attributes."""

    of_calls: dict[str, dict[str, str]] = field(default_factory=dict)
    """A parameter's type in what is called; names that are defined twice are left out."""
    optional: dict[str, set[str]] = field(default_factory=dict)
    """The parameters that have a default."""
    of_attributes: dict[str, set[str]] = field(default_factory=dict)

    def learn(self, module: ast.Module) -> None:
        """Take in what a module states."""
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                members = [each for each in node.body if isinstance(each, ast.AnnAssign)]
                fields = {
                    each.target.id: ast.unparse(each.annotation)
                    for each in members
                    if isinstance(each.target, ast.Name)
                }
                self._define(node.name, fields, {ast.unparse(each.target) for each in members if each.value})
                for name, kind in fields.items():
                    self.of_attributes.setdefault(name, set()).add(kind)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._define(node.name, _parameters(node), set(_defaults(node)))
                if any(ast.unparse(each).endswith("property") for each in node.decorator_list) and node.returns:
                    self.of_attributes.setdefault(node.name, set()).add(ast.unparse(node.returns))

    def _define(self, name: str, types: dict[str, str], optional: set[str]) -> None:
        self.of_calls[name] = {} if name in self.of_calls else types
        self.optional[name] = set() if name in self.optional else optional


def _parameters(function: Any) -> dict[str, str]:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {each.arg: ast.unparse(each.annotation) for each in arguments if each.annotation}


def _defaults(function: Any) -> dict[str, ast.expr]:
    positional = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    given = function.args.defaults
    defaults = dict(zip(positional[len(positional) - len(given) :], given, strict=True))
    by_name = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return defaults | {each.arg: value for each, value in by_name if value is not None}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a function could take for another: parameters of one type, targets of one tuple, attributes of one value."""

    types: Types = field(default_factory=Types)
    siblings: dict[str, list[str]] = field(default_factory=dict)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    defaults: dict[str, ast.expr] = field(default_factory=dict)

    @classmethod
    def of(cls, function: Any, module: ast.Module, types: Types) -> "Scope":
        """Look through a function, and for attributes through its module."""
        parameters = _parameters(function)
        groups = [[name for name in parameters if parameters[name] == kind] for kind in sorted({*parameters.values()})]
        groups += [
            [each.id for each in node.elts if isinstance(each, ast.Name)]
            for node in ast.walk(function)
            if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store)
        ]
        siblings = {name: [other for other in group if other != name] for group in groups for name in group}
        attributes: dict[str, set[str]] = {}
        called = {id(node.func) for node in ast.walk(module) if isinstance(node, ast.Call)}
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in called:
                attributes.setdefault(ast.unparse(node.value), set()).add(node.attr)
        sorted_attributes = {base: sorted(names) for base, names in attributes.items()}
        return cls(types, siblings, sorted_attributes, _defaults(function))

    def like(self, base: str, name: str) -> list[str]:
        """Name the other attributes of a value that are of the same type."""
        types = self.types.of_attributes
        mine = types.get(name, set())
        return [other for other in self.attributes.get(base, ()) if other != name and mine & types.get(other, set())]


def slips_in(function: Any, module: ast.Module, types: Types) -> Iterator[Slip]:
    """Yield all that could be wrong in the body of a function, without its docstring, types and decorators."""
    scope = Scope.of(function, module, types)
    for statement in function.body:
        for node, owner in _walk(statement, statement):
            for kind, new in changes(node, scope):
                yield Slip(kind=kind, node=node, new=new, lines=_head(owner))


def _walk(node: ast.AST, owner: Any) -> Iterator[tuple[ast.AST, Any]]:
    """Yield a node and all below it but types and texts, each with the statement that it belongs to."""
    yield node, owner
    for name, member in ast.iter_fields(node):
        for child in member if isinstance(member, list) else [member]:
            if isinstance(child, ast.AST) and name not in {"annotation", "returns"}:
                yield from _walk(child, child if isinstance(child, ast.stmt) else owner)


def _head(statement: Any) -> range:
    """The lines of a statement without those of the statements in it."""
    inner = [node.lineno for node in ast.walk(statement) if isinstance(node, ast.stmt) and node is not statement]
    return range(statement.lineno, max(statement.lineno, min(inner) - 1 if inner else statement.end_lineno) + 1)


def replaced(module: ast.Module, slip: Slip) -> ast.Module:
    """Return the module with the change in it."""
    changed: ast.Module = _Replace(slip).visit(module)
    return ast.fix_missing_locations(changed)


class _Replace(ast.NodeTransformer):
    def __init__(self, slip: Slip) -> None:
        self._slip = slip

    def visit(self, node: ast.AST) -> Any:
        if node is not self._slip.node:
            return self.generic_visit(node)
        new = self._slip.new
        return new if isinstance(new, list) else ast.copy_location(new, node)


def changes(node: ast.AST, scope: Scope = Scope()) -> Iterator[tuple[str, Any]]:
    """Yield what could be wrong at a node: its kind, and what takes the node's place."""
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)
    elif isinstance(node, ast.expr):
        yield from _of_expression(node, scope)
        yield from _of_names(node, scope)
    elif isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            yield "a lost condition", _with(node, ifs=_without(node.ifs, place))


def _of_statement(node: ast.stmt) -> Iterator[tuple[str, Any]]:  # noqa: C901 - one case for each kind of statement
    match node:
        case ast.If(body=body, orelse=orelse):
            yield "a negated condition", _with(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
            if isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break):
                yield "a lost guard", orelse or [ast.Pass()]
            else:
                yield "a lost branch", orelse or [ast.Pass()]
                yield "a lost condition", body
            if orelse:
                yield "a lost branch", _with(node, orelse=[])
        case ast.Match(cases=[_, _, *_] as cases):
            for place in range(len(cases) - 1):
                yield "a lost branch", _with(node, cases=_without(cases, place))
        case ast.Try(handlers=[_, _, *_] as handlers):
            for place in range(len(handlers)):
                yield "a lost branch", _with(node, handlers=_without(handlers, place))
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom() as value):
            yield "a lost call", ast.Pass() if not isinstance(value, ast.Yield | ast.YieldFrom) else _dead(value)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "a lost assignment", ast.Pass()
        case ast.AugAssign(target=target, value=value):
            yield "what was there is lost", ast.Assign(targets=[target], value=value)


def _dead(value: ast.expr) -> ast.stmt:
    """Keep a generator one, and yield nothing."""
    return ast.If(test=ast.Constant(value=False), body=[ast.Expr(value=value)], orelse=[])


def _of_expression(node: ast.expr, scope: Scope) -> Iterator[tuple[str, Any]]:  # noqa: C901, PLR0912 - one case for each kind of expression
    match node:
        case ast.Compare(ops=[op, *_], left=left, comparators=[right, *more]):
            if type(op) in _COMPARED:
                yield "another comparison", _with(node, ops=[_COMPARED[type(op)](), *node.ops[1:]])
            if more:
                yield "a lost operand", ast.Compare(left=left, ops=[op], comparators=[right])
                yield "a lost operand", ast.Compare(left=right, ops=node.ops[1:], comparators=more)
        case ast.BoolOp(op=op, values=values):
            yield "and for or", _with(node, op=ast.And() if isinstance(op, ast.Or) else ast.Or())
            for place in range(len(values)):
                kept = _without(values, place)
                yield "a lost operand", _with(node, values=kept) if len(kept) > 1 else kept[0]
            if isinstance(op, ast.Or) and all(map(_is_value, values)):
                yield "another precedence", _with(node, values=[*reversed(values)])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "a lost not", operand
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd(), right=right):
            yield "a lost operand", left
            yield "a lost operand", right
            if isinstance(node.op, ast.BitOr) and not _is_type(left):
                yield "another precedence", _with(node, left=right, right=left)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            yield "a swapped pair", _with(node, left=right, right=left)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mult() | ast.Div()):
            yield "a lost operand", left
        case ast.Constant(value=bool(value)):
            yield "true for false", ast.Constant(value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield "another number", ast.Constant(value=value + 1 if value < _SMALL else value * 60)
        case ast.IfExp(body=body, orelse=orelse):
            yield "a negated condition", _with(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
            yield "a lost branch", body
            yield "a lost branch", orelse
        case ast.List(ctx=ast.Load(), elts=[_, _, *_] as members) | ast.Set(elts=[_, _, *_] as members):
            for place in range(len(members)):
                yield "a forgotten member", _with(node, elts=_without(members, place))
        case ast.Tuple(ctx=ast.Load(), elts=[_, _, *_] as members) if _are_alike(members):
            for place in range(len(members)):
                yield "a forgotten member", _with(node, elts=_without(members, place))
        case ast.Dict(keys=[_, _, *_] as keys, values=values):
            for place in range(len(keys)):
                yield (
                    "a forgotten member",
                    _with(node, keys=_without(keys, place), values=_without(values, place)),
                )
        case ast.Subscript(slice=ast.Constant(value=0)):
            yield "last for first", _with(node, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)))
        case ast.Subscript(slice=ast.UnaryOp(op=ast.USub())):
            yield "first for last", _with(node, slice=ast.Constant(value=0))
        case ast.JoinedStr(values=values):
            places = [place for place, each in enumerate(values) if isinstance(each, ast.FormattedValue)]
            for first, second in pairwise(places):
                members = list(values)
                members[first], members[second] = members[second], members[first]
                yield "a swapped pair", _with(node, values=members)
        case ast.Call():
            yield from _of_call(node, scope.types)


def _of_call(node: ast.Call, types: Types) -> Iterator[tuple[str, Any]]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in _OTHER_FUNCTION and isinstance(node.func, ast.Name):
        yield "another function", _with(node, func=ast.Name(id=_OTHER_FUNCTION[name], ctx=ast.Load()))
    if name in {"sorted", "reversed"} and node.args:
        yield "a lost order", ast.Call(func=ast.Name(id="list", ctx=ast.Load()), args=node.args[:1], keywords=[])
    known, optional = types.of_calls.get(name, {}), types.optional.get(name, set())
    order = [each for each in known if each != "self"]
    for place, (first, second) in enumerate(pairwise(node.args)):
        if place + 1 < len(order) and known[order[place]] == known[order[place + 1]]:
            yield "a swapped pair", _with(node, args=[*node.args[:place], second, first, *node.args[place + 2 :]])
    for place, option in enumerate(node.keywords):
        if option.arg is None or option.arg in optional or not known:
            yield "a forgotten option", _with(node, keywords=_without(node.keywords, place))
        for other in node.keywords if option.arg in known else ():
            if other is not option and known.get(str(other.arg)) == known[str(option.arg)]:
                neighbour = ast.keyword(arg=option.arg, value=other.value)
                kept = [*node.keywords[:place], neighbour, *node.keywords[place + 1 :]]
                yield "a neighbour's value", _with(node, keywords=kept)


def _is_value(node: ast.expr) -> bool:
    """Whether it is more than true or false: of those, the order does not matter."""
    name = getattr(node, "id", "") or getattr(node, "attr", "") or getattr(getattr(node, "func", None), "attr", "")
    return isinstance(node, ast.Name | ast.Attribute | ast.Call) and bool(name) and not name.startswith(("is", "has"))


def _is_type(node: ast.expr) -> bool:
    name = getattr(node, "id", "") or getattr(node, "attr", "")
    return isinstance(node, ast.BinOp) or name in dir(builtins) or (name[:1].isupper() and not name.isupper())


def _are_alike(members: list[ast.expr]) -> bool:
    """Whether a tuple is a list of things, and nothing that is unpacked."""
    kinds = {type(member.value) if isinstance(member, ast.Constant) else type(member) for member in members}
    named = all(not isinstance(member, ast.Attribute) or member.attr.isupper() for member in members)
    return len(kinds) == 1 and named and not kinds & {ast.Name, ast.Call, ast.JoinedStr}


def _of_names(node: ast.expr, scope: Scope) -> Iterator[tuple[str, Any]]:
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            for other in scope.siblings.get(name, ()):
                yield "another variable", ast.Name(id=other, ctx=ast.Load())
            if isinstance(scope.defaults.get(name), ast.Constant):
                yield "an ignored option", scope.defaults[name]
        case ast.Attribute(value=value, attr=name, ctx=ast.Load()):
            for other in scope.like(ast.unparse(value), name):
                yield "another attribute", _with(node, attr=other)


def _without(members: list[Any], place: int) -> list[Any]:
    return [*members[:place], *members[place + 1 :]]


def _with(node: Any, **fields: Any) -> Any:
    """Copy a node; its members are the old ones but for these."""
    return type(node)(**{name: getattr(node, name, None) for name in node._fields} | fields)
