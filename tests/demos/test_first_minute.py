"""The first minute with a clone: an installation says what it does, and Ctrl-C at any moment does no harm."""

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from examples import drawn
from testbed.surroundings import for_installing

ROOT = Path(__file__).parents[2]
PACKAGES = ".venv/lib/*/site-packages"
MOMENTS = {
    "at the start": "scripts",
    "before there is pip": ".venv/bin/python",
    "while packages are linked": f"{PACKAGES}/botocore",
}
"""When Ctrl-C is pressed: as soon as this is there."""

INTERRUPTED = ["^C", "scripts/install: interrupted; start it again when you like", ""]

PYTHON = """#!/bin/sh
[ "$2" = venv ] || exit 0
mkdir -p .venv/bin
echo "command = python -m venv $(pwd -P)/.venv" >.venv/pyvenv.cfg
printf '#!/bin/sh\\n' | tee .venv/bin/python .venv/bin/uv
chmod +x .venv/bin/*
"""
"""A Python that makes an environment in which nothing is installed."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("admin", "locks", "reader", "scripts", "worker"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def terminal(clone: Path, *command: str) -> Any:
    environment = {name: value for name, value in for_installing().items() if not name.startswith("COVERAGE_")}
    return pexpect.spawn(command[0], [*command[1:]], cwd=str(clone), env=environment, encoding="utf-8", timeout=180)


def test_an_interrupted_installation_is_repaired(clone: Path) -> None:
    """Ctrl-C ends `scripts/demo` with one line and no traceback, and the start after it works.

    Each run presses it at one of three moments, each night at all of them in turn.
    """
    for moment in drawn([*MOMENTS], 3):
        child = terminal(clone, "scripts/demo")
        child.expect("scripts/install: installs 160 MB of packages, in about 10 s with a fast connection\r\n")
        while child.isalive() and not any(clone.glob(MOMENTS[moment])):
            time.sleep(0.05)  # a shorter one would take the time of what it waits for
        child.sendintr()
        child.expect(pexpect.EOF)
        child.wait()

        assert INTERRUPTED == child.before.split("\r\n"), moment

    install = [str(clone / "scripts/install"), "demo"]
    subprocess.run(install, check=True, env=for_installing(), capture_output=True)  # noqa: S603 - our own script
    subprocess.run([clone / ".venv/bin/token-refresh", "--version"], check=True, capture_output=True)  # noqa: S603 - what it installed


def test_an_installation_waits_for_another(clone: Path) -> None:
    """A start beside another one, such as of tests and demo, says that it waits, and changes nothing meanwhile."""
    (clone / "build").mkdir()
    with (clone / "build/install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = terminal(clone, "scripts/install", "demo")
        child.expect("scripts/install: waits for another installation\r\n")
        child.sendintr()
        child.expect(pexpect.EOF)

    assert INTERRUPTED == child.before.split("\r\n")
    assert not (clone / ".venv").exists()


def test_a_moved_checkout_is_installed_anew(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The commands of `.venv` name the folder in which it was made, and would run what is there now."""
    (clone / "python").write_text(PYTHON)
    (clone / "python").chmod(0o755)
    (clone / "reader-typescript").mkdir()
    (clone / "reader-typescript" / "package-lock.json").touch()

    def installs(folder: Path) -> bool:
        done = subprocess.run(  # noqa: S603 - our own script
            [folder / "scripts/install", "demo"],
            env=os.environ | {"PYTHON": "./python"},
            capture_output=True,
            text=True,
            check=True,
        )
        return "installs 160 MB" in done.stderr

    assert [True, False] == [installs(clone), installs(clone)]
    (clone / ".venv" / "made before").touch()
    moved = tmp_path_factory.mktemp("moved") / "a folder with spaces"
    clone.rename(moved)
    clone.mkdir()

    assert [True, False] == [installs(moved), installs(moved)]
    assert not (moved / ".venv" / "made before").exists()
