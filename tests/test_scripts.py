"""The scripts that people run: each says what it does, and none has to be read twice."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
OURS = [path for path in sorted(SCRIPTS.iterdir()) if path.is_file() and os.access(path, os.X_OK)]
PROOFS = ("search", "mutants", "kill-matrix", "races", "soak", "mutation", "conformance")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own scripts


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("script", OURS, ids=lambda path: path.name)
def test_help(script: Path, option: str) -> None:
    """With `-h` or `--help` every script prints its help on standard output, and does nothing else."""
    asked = run(str(script), option)

    assert (0, "") == (asked.returncode, asked.stderr)
    assert len(asked.stdout.split()) > 5
    assert "set -eu" not in asked.stdout


@pytest.mark.parametrize("name", PROOFS)
def test_prove_names(name: str) -> None:
    """`scripts/prove --help` lists every proof, and each has help of its own."""
    assert f"\n  {name} " in run(str(SCRIPTS / "prove"), "--help").stdout

    asked = run(str(SCRIPTS / "prove"), name, "--help")

    assert (0, "") == (asked.returncode, asked.stderr)
    assert f"scripts/prove {name}" in asked.stdout


def test_unknown_proof() -> None:
    """A proof that does not exist is refused with the list of those that do."""
    asked = run(str(SCRIPTS / "prove"), "nothing")

    assert (64, "") == (asked.returncode, asked.stdout)
    assert "kill-matrix" in asked.stderr
