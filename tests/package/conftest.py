"""Empty environments, and programs in them without the checkout on the path."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from testbed.surroundings import proxies
from token_refresh import __version__

GROUP = "deployments"

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
PINS = ROOT / "locks" / "all.txt"
NOTHING: Mapping[str, str] = MappingProxyType({})

Ended = subprocess.CompletedProcess[str]


def run(*command: str | Path, cwd: Path = ROOT, check: bool = True, given: Mapping[str, str] = NOTHING) -> Ended:
    # No folder of the tests, and no account of AWS.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE_", "PYTHON"))}
    ended = subprocess.run(command, cwd=cwd, env={**kept, **given}, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert not (check and ended.returncode), ended.stderr
    return ended


class Environments:
    """Environments at one path, one after the other, which share their bytecode.

    They begin with that of `.venv` and of the standard library: uv links the same files.
    """

    def __init__(self, folder: Path) -> None:
        self.venv, self.elsewhere, self._bytecode = (folder / name for name in ("venv", "elsewhere", "bytecode"))
        self.elsewhere.mkdir()
        here, library = (Path(sysconfig.get_path(name)) for name in ("purelib", "stdlib"))
        for source, place in ((here, self.venv / here.relative_to(sys.prefix)), (library, library)):
            for compiled in source.glob("**/__pycache__/*.pyc"):
                link = self._bytecode / (place / compiled.parents[1].relative_to(source) / compiled.name).relative_to(
                    "/"
                )
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(compiled)  # Python replaces the link where source and bytecode differ

    def install(self, *what: str | Path, beside: bool = False) -> None:
        """Install into an empty environment, or beside what is there, with uv in the place of pip.

        uv has packed these versions already, for `.venv`; where its cache is gone, it needs an index.
        """
        if not beside:
            run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, self.venv)
        # Without sources, a requirement that no index has must be among what the command names, as it is for pip.
        pins = ("--constraint", PINS, "--build-constraint", PINS, "--no-sources")
        command, given = (UV, "pip", "install", "--quiet", *pins, *what), {"VIRTUAL_ENV": str(self.venv)} | proxies()
        if run(*command, check=False, given={**given, "UV_OFFLINE": "1"}).returncode:
            run(*command, given=given)

    def has(self, program: str) -> bool:
        return (self.venv / "bin" / program).exists()

    def run(self, program: str, *arguments: str, check: bool = True, given: Mapping[str, str] = NOTHING) -> Ended:
        """Run a program in a folder without anything of the project."""
        variables = {"PYTHONPYCACHEPREFIX": str(self._bytecode), **given}
        return run(self.venv / "bin" / program, *arguments, cwd=self.elsewhere, check=check, given=variables)

    def python(self, program: str, **given: str) -> list[str]:
        return self.run("python", "-c", program, given=given).stdout.splitlines()


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return Environments(tmp_path_factory.mktemp("environments"))


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scripts/package release` leaves in a folder as people name theirs, where older files were lying around."""
    project = tmp_path_factory.mktemp("Zoë's release ")
    for name in ("admin", "examples", "infra", "locks", "reader", "reader-typescript", "scripts", "worker"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    (project / "reader-typescript" / "node_modules").symlink_to(ROOT / "reader-typescript" / "node_modules")
    for name in ("CHANGELOG.md", "LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    (project / ".venv").symlink_to(ROOT / ".venv")
    (project / "scripts" / "install").write_text("#!/bin/sh\n")  # the .venv is not this copy's
    (project / "dist").mkdir()
    for old in ("token_refresh-0.0.1-py3-none-any.whl", "stranger.zip"):
        (project / "dist" / old).touch()
    for path in (project / "worker").rglob("*.py"):
        os.utime(path, (0, 0))
    run(project / "scripts" / "package", "release", f"v{__version__}", given={"TZ": "Asia/Tokyo"} | proxies())
    return project / "dist" / "release"
