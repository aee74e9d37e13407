"""Run searches on two processes, and show what they found: on the terminal, and as tables."""

import ast
import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from measured import digest
from proof.explore import Result, search
from proof.world import Scenario
from token_refresh_worker import core

PROCESSES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A bug, and the search that looked for it."""

    name: str
    result: Result


def run(scenarios: Sequence[Scenario], *, seconds: float = math.inf) -> list[Result]:
    """Search all scenarios, and print a line as each ends; after so many seconds begin no other."""
    began, found = time.perf_counter(), []
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for result in pool.map(search, scenarios):
            print(_line(result), flush=True)
            found.append(result)
            if time.perf_counter() - began > seconds:
                # A pool whose processes end after each task hangs, unless somebody waits for it.
                pool.shutdown(cancel_futures=True)
                break
    worlds = sum(result.worlds for result in found)
    print(f"\n{worlds:,} worlds in {len(found)} searches, {time.perf_counter() - began:.0f} s on {PROCESSES} processes")
    print(f"violations: {sum(1 for result in found if result.violation)}")
    return found


def steps(result: Result) -> str:
    """Say how long a trace is."""
    count = max(0, len(result.trace) - 1)
    return f"{count} step{'' if count == 1 else 's'}"


def _line(result: Result) -> str:
    end = "" if result.complete else "  NOT COMPLETE"
    head = (
        f"{result.scenario.label}: {result.worlds:,} worlds in {result.seconds:.1f} s; "
        f"{result.left_alone:,} left alone; window hit in {result.windows:,}{end}"
    )
    return "\n    ".join([head, result.scenario.bounds, *result.trace])


def searches(searched: Sequence[Result]) -> str:
    """Return one row for each name and claim-store dependent bounds, and a column for each store and provider."""
    kinds = list(dict.fromkeys((r.scenario.claims, r.scenario.provider) for r in searched))
    by = {(r.scenario.name, r.scenario.bounds, r.scenario.claims, r.scenario.provider): r for r in searched}
    rows = []
    for name, bounds in dict.fromkeys((r.scenario.name, r.scenario.bounds) for r in searched):
        cells = [by.get((name, bounds, *kind)) for kind in kinds]
        figures = " | ".join("" if cell is None else f"{cell.worlds:,}" for cell in cells)
        rows.append(f"| {name} | {bounds} | {figures} |")
    head = [
        f"| search | bounds | {' | '.join(f'{store}, {provider}' for store, provider in kinds)} |",
        "| --- | --- |" + " --: |" * len(kinds),
    ]
    found, seconds = summary(searched, [r.scenario for r in searched]), sum(r.seconds for r in searched)
    words = (
        f"{found['worlds']:,} worlds in {found['searches']} searches, {found['violations']} violations, "
        f"{seconds:.0f} s of processor time. In {found['windows']:,} of them the one window was hit. "
        f"From {found['left_alone']:,} stored states undisturbed runs went on until nothing was left to do."
    )
    return "\n".join([*head, *rows, "", words])


def summary(searched: Sequence[Result], planned: Sequence[Scenario]) -> dict[str, Any]:
    """Return the figures of the searches that ran, how many were planned, and what tells these from others."""
    return {
        "worlds": sum(r.worlds for r in searched),
        "searches": len(searched),
        "planned": len(planned),
        "violations": sum(1 for r in searched if r.violation),
        "windows": sum(r.windows for r in searched),
        "left_alone": sum(r.left_alone for r in searched),
        "of": searched_digest(planned),
        "rules": rules_digest(),
    }


def searched_digest(scenarios: Iterable[Scenario]) -> str:
    """Return what tells these searches, with their bounds, from others."""
    return digest(f"{scenario.label}: {scenario.bounds}" for scenario in scenarios)


def rules_digest() -> str:
    """Return what tells today's rules from others: the code of `core/`, whatever its comments and docstrings say."""
    return digest(code_of(ast.parse(path.read_text())) for path in sorted(Path(core.__path__[0]).glob("*.py")))


def code_of(tree: ast.Module) -> str:
    """Return a module's text without comments and docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [it for it in body if not _is_text(it)] or [ast.Pass()]  # type: ignore[attr-defined]  # it has one
    return ast.unparse(tree).replace('"', "'")  # releases of Python quote the parts of an f-string differently


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def mutants(planted: Sequence[Planted]) -> str:
    """Return one row for each planted bug."""
    head = ["| planted bug | what is violated | steps | worlds |", "| --- | --- | --: | --: |"]
    rows = []
    for bug in planted:
        result = bug.result
        violation = (result.violation or "SURVIVED").partition(" (")[0]
        rows.append(f"| {bug.name} | {violation} | {len(result.trace) - 1} | {result.worlds:,} |")
    return "\n".join([*head, *rows])
