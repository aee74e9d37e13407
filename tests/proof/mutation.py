"""Mutate the decision core line by line, and check that its tests notice: `scripts/prove mutation`.

mutmut 3 works in build/mutmut. A mutant may survive only where survivors.txt says why: four of 1,844, measured in parts
on 2026-11-29. The whole takes a quarter of an hour of one core.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build" / "mutmut"
EXPLAINED: Final = Path(__file__).with_name("survivors.txt")
_KILLED: Final = frozenset({1, 3, 36, -24, 24, 152, 255})
"""Exit codes of mutmut for tests that failed, and for a mutant that hangs."""
_CONFIG: Final = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/token_refresh_worker/core/*.py"]
pytest_add_cli_args_test_selection = ["tests/core", "tests/run", "tests/stored/test_releases.py"]
# Of what releases stored, the forms: not the runs on it, nor the release itself.
pytest_add_cli_args = ["-k", "not (todays_runs or forms_of_a_release or release_is_refused or release_workflow)"]
track_dependencies = false

[tool.pytest.ini_options]
pythonpath = ["tests"]
addopts = ["--import-mode=importlib"]
"""


def main() -> int:
    """Mutate, or show what a survivor changes; 1 where tests let too much pass."""
    parser = argparse.ArgumentParser(prog="scripts/prove mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--show", metavar="NAME", help="show what a survivor of the last run changes")
    options = parser.parse_args()
    if options.show:
        return _mutmut("show", options.show)
    _lay_out()
    _mutmut("run", "--max-children", "2", stdout=subprocess.DEVNULL)
    return judge(BUILD / "mutants", EXPLAINED)


def _lay_out() -> None:
    """Copy core and tests to where mutmut looks: it finds a package below src/ alone."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("src", "tests", "mutants"):  # mutmut keeps old results, whatever changed in the tests
        shutil.rmtree(BUILD / name, ignore_errors=True)
    shutil.copytree(ROOT / "worker", BUILD / "src")
    for folder in ("testbed", "tests/core", "tests/run", "tests/stored"):
        shutil.copytree(ROOT / folder, BUILD / "tests" / Path(folder).name)
    (BUILD / "pyproject.toml").write_text(_CONFIG)


def _mutmut(*arguments: str, stdout: int | None = None) -> int:
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": path}
    return subprocess.run(command, cwd=BUILD, stdout=stdout, check=False, env=environment).returncode  # noqa: S603 - ours


def judge(folder: Path, explained: Path) -> int:
    """Print the share of killed mutants, and which are not explained or explained for nothing; 1 where that fails."""
    codes: dict[str, int | None] = {}
    for meta in sorted(folder.rglob("*.meta")):
        codes |= json.loads(meta.read_text())["exit_code_by_key"]
    known = {line.partition(":")[0] for line in explained.read_text().splitlines() if not line.startswith("#")}
    survivors = [name for name, code in codes.items() if code not in _KILLED]
    unexplained = [name for name in survivors if name not in known]
    unneeded = sorted(known - set(survivors))
    killed = len(codes) - len(survivors)
    print(f"{killed} of {len(codes)} mutants killed ({killed / max(1, len(codes)):.1%})")
    print("\n".join([f"{len(survivors)} survive, {len(unexplained)} of them unexplained", *unexplained]))
    if unneeded:
        print("\n".join(["explained, but killed or gone:", *unneeded]))
    return int(bool(unexplained or unneeded) or not codes)


if __name__ == "__main__":
    sys.exit(main())
