"""Plant random bugs into the product, one at a time, and see which of them a test notices: `scripts/prove mutation`.

The places are drawn by lot over all lines of all functions, and the bugs are of the kinds that people make
(`slips.py`). The tests are collected once, and run once to learn which of them reach each place. Then each bug has a
process of its own, forked off the collected tests: the code of one function is replaced there, and the tests that reach
its line run, the fastest first, until one fails. Needs Python 3.12, whose `sys.monitoring` tells what is reached.

The list is there to be read: what is not noticed may be a truth that no test states, or change nothing.
"""

import argparse
import ast
import gc
import importlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol

from proof.slips import Slip, Types, replaced, slips_in

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
LEAST_SHARE: Final = 0.75
"""Of 100 bugs: three standard deviations below 85 %. A night fails where tests were lost, and not by lot."""
TEST_SECONDS, BUG_SECONDS = 60, 240
"""Of one test: a bug that hangs is noticed. And of all tests of one bug: then it is not."""

Line = tuple[str, int]
"""A line: its file and its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function or method of the product."""

    path: str
    name: str
    node: Any = field(repr=False)

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return int(self.node.end_lineno - self.node.lineno + 1)

    @property
    def module(self) -> str:
        """The module that it is in, as Python names it."""
        _, *inner = Path(self.path).relative_to(ROOT).with_suffix("").parts
        return ".".join(inner).removesuffix(".__init__")

    @property
    def folder(self) -> str:
        """What its share is counted under: the package's folder."""
        package, *inner = Path(self.path).relative_to(ROOT).parts[:-1][1:]
        return "/".join((package, *inner[:1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One change of one function."""

    function: Function
    slip: Slip
    code: CodeType = field(repr=False)

    def __str__(self) -> str:
        where = f"{Path(self.function.path).relative_to(ROOT)}:{self.slip.lines[0]} {self.function.name}"
        return f"{where}: {self.slip.kind}: {self.slip.before} -> {self.slip.after}"

    @property
    def lines(self) -> set[Line]:
        """The lines of its statement."""
        return {(self.function.path, number) for number in self.slip.lines}


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """All functions of modules and of their classes, and the types that they state."""

    functions: list[Function]
    types: Types

    @classmethod
    def read(cls) -> "Product":
        """Parse all of it."""
        found, types = list[Function](), Types()
        for path in (path for package in PRODUCT for path in sorted(package.rglob("*.py"))):
            module = ast.parse(path.read_text())
            types.learn(module)
            found += (Function(path=str(path), name=name, node=node) for name, node in functions_of(module))
        return cls(functions=found, types=types)

    def draw(self, count: int, dice: random.Random, *, only: str = "") -> list[Bug]:
        """Draw functions by their lines, each at most once, and plant a bug in each."""
        among = [function for function in self.functions if only in function.path]
        # The longest of random times: Efraimidis and Spirakis, "Weighted random sampling with a reservoir".
        order = sorted(among, key=lambda function: dice.random() ** (1 / function.lines), reverse=True)
        bugs = (bug for function in order if (bug := self.bug_in(function, dice)) is not None)
        return list(islice(bugs, count))

    def bug_in(self, function: Function, dice: random.Random) -> Bug | None:
        """Return a random bug, its kind by lot and then its place; None where the function has no place for one."""
        tree = ast.parse(Path(function.path).read_text())
        (top,) = (node for _, node in functions_of(tree) if node.lineno == function.node.lineno)
        kinds = defaultdict[str, list[Slip]](list)
        for slip in slips_in(top, tree, self.types):
            kinds[slip.kind].append(slip)
        if not kinds:
            return None
        before = _code_of(function, compile(tree, function.path, "exec"))
        slip = dice.choice(kinds[dice.choice(sorted(kinds))])
        code = _code_of(function, compile(replaced(tree, slip), function.path, "exec"))
        if code.co_freevars != before.co_freevars:  # without its `super()`, for one: it fits no function of before
            return None
        return Bug(function=function, slip=slip, code=code)


def functions_of(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Yield the functions of a module and of its classes by their qualified names."""
    for node in tree.body:
        for member in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{node.name}.{member.name}" if isinstance(node, ast.ClassDef) else member.name, member


def _code_of(function: Function, module: CodeType) -> CodeType:
    return [code for code in _codes(module) if code.co_qualname == function.name][-1]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


class Planter:
    """The plugin of pytest that plants: it takes the place of the loop that would run the tests."""

    def __init__(self, bugs: list[Bug], folder: Path) -> None:
        self._bugs, self._folder = bugs, folder
        self.noticed: Counter[str] = Counter()
        self.planted: Counter[str] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Learn what the tests reach, plant, and print each bug with the test that noticed it."""
        for name in {bug.function.module for bug in self._bugs}:
            importlib.import_module(name)  # or a function that a command imports late is made after the bug was planted
        items = {item.nodeid: item for item in session.items}
        reached = self._learn(session)
        bugs, running = list(self._bugs), dict[int, Bug]()
        while bugs or running:
            while bugs and len(running) < (os.cpu_count() or 1):
                bug = bugs.pop()
                if tests := [items[test] for test, lines in reached.items() if lines & bug.lines]:
                    running[self._plant(bug, tests)] = bug
                else:
                    print(f"{bug}\n    not counted: these tests don't reach it")
            pid, status = os.wait() if running else (0, 0)
            if pid in running:  # the CDK of a collected test has a process, too
                self._tell(running.pop(pid), pid, status)
        return True

    def _learn(self, session: pytest.Session) -> dict[str, set[Line]]:
        """Run all tests once, in a fork; return which lines of bugs each one reaches that passed, the fastest first."""
        found = self._folder / "reached.json"
        pid = os.fork()
        if pid == 0:
            lines = {line for bug in self._bugs for line in bug.lines}
            found.write_text(json.dumps(sorted(_reach(session.items, lines))))
            os._exit(0)
        os.waitpid(pid, 0)
        return {test: {(path, line) for path, line in lines} for _, test, lines in json.loads(found.read_text())}

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
            code = function.__code__
            if (code.co_filename, code.co_qualname) == (bug.function.path, bug.function.name):
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
        for folder in (bug.function.folder, "all"):
            self.planted[folder] += 1
            self.noticed[folder] += status != 0
        by = self._folder / str(pid)
        print(f"{bug}\n    {f'noticed by {by.read_text()}' if status else 'NOT NOTICED'}", flush=True)

    @property
    def share(self) -> float:
        """The share of the planted bugs that was noticed."""
        return self.noticed["all"] / max(1, self.planted["all"])


def _reach(items: list[pytest.Item], wanted: set[Line]) -> Iterator[tuple[float, str, list[Line]]]:
    """Run tests; yield the seconds of each one that passed, and which of the wanted lines it has begun."""
    _silence()
    monitoring: Any = vars(sys)["monitoring"]  # no name in the types of Python 3.11
    seen: set[Line] = set()

    def begun(code: CodeType, line: int) -> object:
        if (code.co_filename, line) in wanted:
            seen.add((code.co_filename, line))
        return monitoring.DISABLE

    monitoring.use_tool_id(monitoring.PROFILER_ID, "mutation")
    monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.LINE, begun)
    monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.LINE)
    for item, following in zip(items, [*items[1:], None], strict=True):
        seen.clear()
        monitoring.restart_events()
        began = time.monotonic()
        reports = runtestprotocol(item, nextitem=following, log=False)
        if any(report.passed and report.when == "call" for report in reports) and not any(r.failed for r in reports):
            yield time.monotonic() - began, item.nodeid, sorted(seen)


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
    parser.add_argument("--tests", nargs="+", default=["tests"], metavar="PATH", help="only these tests")
    options = parser.parse_args()
    if "monitoring" not in vars(sys):
        parser.error("needs Python 3.12")
    print(f"seed {options.seed}", flush=True)
    folder = ROOT / "build" / "mutation"
    folder.mkdir(parents=True, exist_ok=True)
    left_out = [f"--ignore=tests/{name}" for name in (*NOT_HERE, "proof", "races")]
    bugs = Product.read().draw(options.bugs, random.Random(options.seed), only=options.only)  # noqa: S311 - no secret
    planter = Planter(bugs, folder)
    os.chdir(ROOT)
    status = pytest.main(
        ["-q", "-pno:cacheprovider", "-pno:terminalreporter", *left_out, *options.tests], plugins=[planter]
    )
    for name, count in sorted(planter.planted.items(), key=lambda each: (each[0] == "all", each)):
        print(f"{name}: {planter.noticed[name]} of {count} bugs noticed ({planter.noticed[name] / count:.0%})")
    print(f"at least {LEAST_SHARE:.0%} of all must be")
    return int(bool(status) or planter.share < LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
