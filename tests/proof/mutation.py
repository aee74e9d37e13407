"""Plant random bugs into the product, one at a time, and see which of them a test notices: `scripts/prove mutation`.

The tests are collected once, and run once to learn which functions each of them reaches. Then each bug has a process of
its own, forked off the collected tests: the code of one function is replaced there, and the tests that reach it run
until one fails. Needs Python 3.12, whose `sys.monitoring` tells what is reached.

Of 172 bugs with seeds 47 and 48, 156 were noticed on 2026-11-30 (91 %). The list is there to be read: what is not
noticed may be a truth that no test states, or change nothing, such as a larger limit.
"""

import argparse
import ast
import copy
import gc
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = (
    ROOT / "reader" / "token_refresh",
    ROOT / "worker" / "token_refresh_worker",
    ROOT / "admin" / "token_refresh_admin",
)
NOT_HERE: Final = (
    *("account", "benchmarks", "conformance", "demos", "deployment", "infra", "package", "pages", "printed"),
)
"""Folders of tests that run the product elsewhere, or not at all; `proof` and `races` take too long for each bug."""
LEAST_SHARE: Final = 0.82
"""Of 100 bugs; three standard deviations below the share that was measured."""
TEST_SECONDS, BUG_SECONDS = 60, 240
"""Of one test: a bug that hangs is noticed. And of all tests of one bug: then it is not."""

Name = tuple[str, str]
"""A function: its file and its qualified name."""
_OPPOSITES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.Lt: ast.LtE,
    ast.Gt: ast.GtE,
    ast.Is: ast.IsNot,
    ast.In: ast.NotIn,  # codespell:ignore - a name of Python
}
_COMPARED: Final = _OPPOSITES | {after: before for before, after in _OPPOSITES.items()}
_CALCULATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One change of one function."""

    function: Name
    line: int
    says: str
    code: CodeType = field(repr=False)

    def __str__(self) -> str:
        return f"{Path(self.function[0]).relative_to(ROOT)}:{self.line} {self.function[1]}: {self.says}"


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:  # noqa: C901 - one case for each kind of node
    """Yield what could be wrong at a node: in words, and the node that takes its place."""
    new: Any = copy.deepcopy(node)
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARED:
            new.ops[0] = _COMPARED[type(op)]()
        case ast.BoolOp(op=op):
            new.op = ast.And() if isinstance(op, ast.Or) else ast.Or()
        case ast.UnaryOp(op=ast.Not()):
            new = new.operand
        case ast.BinOp(op=op) if type(op) in _CALCULATED:
            new.op = _CALCULATED[type(op)]()
        case ast.Constant(value=bool(value)):
            new.value = not value
        case ast.Constant(value=int(value) | float(value)):
            new.value = value + 1
        case ast.If() | ast.IfExp() | ast.While():
            new.test = ast.UnaryOp(op=ast.Not(), operand=new.test)
        case ast.Return(value=ast.expr()):
            new.value = ast.Constant(value=None)
        case ast.Expr(value=ast.Call()):
            new = ast.Pass()
        case ast.Call(keywords=[_, *_]):
            new.keywords = new.keywords[1:]
        case ast.comprehension(ifs=[_, *_]):
            new.ifs = []
        case _:
            return
    said = ast.unparse(node).partition("\n")[0][:60] if not isinstance(node, ast.comprehension) else "a condition"
    yield said, new


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return ast.copy_location(self._new, node) if node is self._old else self.generic_visit(node)


def functions_of(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield the functions of a module and of its classes by their qualified names."""
    for node in tree.body:
        for member in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{node.name}.{member.name}" if isinstance(node, ast.ClassDef) else member.name, member


def bug_in(function: Name, dice: random.Random) -> Bug | None:
    """Return a random bug; None where the function has no place for one."""
    path, name = function
    tree = ast.parse(Path(path).read_text())
    places = [
        (node, *change, statement.lineno)
        for found, top in functions_of(tree)
        if found == name
        for statement in top.body  # type: ignore[attr-defined]  # not its arguments and decorators
        for node in _walk(statement)
        for change in changes(node)
    ]
    if not places:
        return None
    before = _code_of(name, tree, path)
    node, said, new, line = dice.choice(places)
    line = getattr(node, "lineno", line)
    code = _code_of(name, ast.fix_missing_locations(_Replace(node, new).visit(tree)), path)
    if code.co_freevars != before.co_freevars:  # without its `super()`, for one: it fits no function of before
        return None
    return Bug(function=function, line=line, says=f"{type(node).__name__} {said}", code=code)


def _code_of(name: str, tree: Any, path: str) -> CodeType:
    return [code for code in _codes(compile(tree, path, "exec")) if code.co_qualname == name][-1]


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it but types: they change nothing."""
    yield node
    for name, member in ast.iter_fields(node):
        for child in member if isinstance(member, list) else [member]:
            if isinstance(child, ast.AST) and name not in {"annotation", "returns"}:
                yield from _walk(child)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


class Planter:
    """The plugin of pytest that plants: it takes the place of the loop that would run the tests."""

    def __init__(self, seed: int, count: int, only: str, folder: Path) -> None:
        self._dice, self._count, self._only, self._folder = random.Random(seed), count, only, folder  # noqa: S311 - no secret
        self.noticed: list[bool] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn what the tests reach, plant, and print each bug with the test that noticed it."""
        items = {item.nodeid: item for item in session.items}
        reached = self._learn(session)
        functions = sorted({name for names in reached.values() for name in names if self._only in name[0]})
        self._dice.shuffle(functions)
        bugs = [bug for name in functions if (bug := bug_in(name, self._dice))][: self._count]
        running: dict[int, Bug] = {}
        while bugs or running:
            while bugs and len(running) < (os.cpu_count() or 1):
                bug = bugs.pop()
                tests = sorted((test for test, names in reached.items() if bug.function in names), key=_file(reached))
                running[self._plant(bug, [items[test] for test in tests])] = bug
            pid, status = os.wait()
            if pid in running:  # the CDK of a collected test has a process, too
                self._tell(running.pop(pid), pid, status)
        return True

    def _learn(self, session: pytest.Session) -> dict[str, set[Name]]:
        """Run all tests once, in a fork; return the functions that each one reaches that passed."""
        found = self._folder / "reached.json"
        pid = os.fork()
        if pid == 0:
            found.write_text(json.dumps(list(_reach(session.items))))
            os._exit(0)
        os.waitpid(pid, 0)
        return {test: {(path, name) for path, name in names} for test, names in json.loads(found.read_text())}

    def _plant(self, bug: Bug, tests: list[pytest.Item]) -> int:
        """Fork: with the bug in its place the tests run until one fails."""
        pid = os.fork()
        if pid:
            return pid
        try:
            self._run(bug, tests)
        finally:
            os._exit(0)

    def _run(self, bug: Bug, tests: list[pytest.Item]) -> None:
        _silence()
        gc.unfreeze()  # or it lists nothing of what was there when the tests were collected
        for function in [it for it in gc.get_objects() if type(it) is FunctionType]:
            if (function.__code__.co_filename, function.__code__.co_qualname) == bug.function:
                function.__code__ = bug.code
        until = time.monotonic() + BUG_SECONDS
        for test, following in zip(tests, [*tests[1:], None], strict=True):
            signal.alarm(TEST_SECONDS)
            if time.monotonic() > until:
                break
            self._note(test.nodeid)
            if any(report.failed for report in runtestprotocol(test, nextitem=following, log=False)):
                os._exit(1)

    def _note(self, test: str) -> None:
        (self._folder / str(os.getpid())).write_text(test)

    def _tell(self, bug: Bug, pid: int, status: int) -> None:
        self.noticed.append(status != 0)
        by = self._folder / str(pid)
        print(f"{bug}\n    {f'noticed by {by.read_text()}' if status else 'NOT NOTICED'}", flush=True)


def _reach(items: list[pytest.Item]) -> Iterator[tuple[str, list[Name]]]:
    """Run tests; yield the functions of the product that each one that passed has begun."""
    _silence()
    monitoring: Any = vars(sys)["monitoring"]  # no name in the types of Python 3.11
    seen: set[Name] = set()
    prefixes = tuple(map(str, PRODUCT))

    def begun(code: CodeType, _offset: int) -> object:
        if code.co_filename.startswith(prefixes):
            seen.add((code.co_filename, code.co_qualname.partition(".<locals>")[0]))
        return monitoring.DISABLE

    monitoring.use_tool_id(monitoring.PROFILER_ID, "mutation")
    monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.PY_START, begun)
    monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.PY_START)
    for item, following in zip(items, [*items[1:], None], strict=True):
        seen.clear()
        monitoring.restart_events()
        reports = runtestprotocol(item, nextitem=following, log=False)
        if any(report.passed and report.when == "call" for report in reports) and not any(r.failed for r in reports):
            yield item.nodeid, sorted(seen)


def _file(reached: dict[str, set[Name]]) -> Any:
    """Sort tests by their files, those first that reach least: they say most of a function, and soonest."""
    files: dict[str, int] = {}
    for test, names in reached.items():
        file = test.partition("::")[0]
        files[file] = max(files.get(file, 0), len(names))
    return lambda test: (files[test.partition("::")[0]], test.partition("::")[0])


def _silence() -> None:
    """Let a fork print nothing: what a bug prints may be anything."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)


def main() -> int:
    """Plant, and print the share that was noticed; 1 where it is too small."""
    parser = argparse.ArgumentParser(prog="scripts/prove mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="otherwise another one each time")  # noqa: S311 - no secret
    parser.add_argument("--bugs", type=int, default=100, help="how many (%(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only functions of files whose paths have this text")
    parser.add_argument("--tests", default="tests", metavar="PATH", help="only tests of this folder or file")
    options = parser.parse_args()
    if "monitoring" not in vars(sys):
        parser.error("needs Python 3.12")
    print(f"seed {options.seed}", flush=True)
    folder = ROOT / "build" / "mutation"
    folder.mkdir(parents=True, exist_ok=True)
    left_out = [f"--ignore=tests/{name}" for name in (*NOT_HERE, "proof", "races")]
    planter = Planter(options.seed, options.bugs, options.only, folder)
    os.chdir(ROOT)
    status = pytest.main(
        ["-q", "-pno:cacheprovider", "-pno:terminalreporter", *left_out, options.tests], plugins=[planter]
    )
    share = sum(planter.noticed) / max(1, len(planter.noticed))
    counted = f"{sum(planter.noticed)} of {len(planter.noticed)}"
    print(f"{counted} bugs noticed ({share:.0%}); at least {LEAST_SHARE:.0%} must be")
    return int(bool(status) or share < LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
