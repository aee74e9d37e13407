"""The reader for TypeScript (`reader-typescript/`) does what this one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reader import secret_vectors, vectors
from reader.typescript import PACKAGE, node
from token_refresh import __version__


def test_its_tests_pass(typescript: Path) -> None:
    """It passes the vectors, and its own tests of what they can't say."""
    done = node(typescript, "--test", "--test-reporter=tap")

    assert 0 == done.returncode, done.stdout
    assert done.stdout.count("\n# Subtest: ") > len(vectors.vectors())


def test_the_vectors_are_this_reader_s(caplog: pytest.LogCaptureFixture) -> None:
    """The file holds what this reader does; `PYTHONPATH=tests .venv/bin/python -m reader.vectors` writes it anew."""
    caplog.set_level("ERROR")

    for module in (vectors, secret_vectors):
        assert vectors.text(module.vectors()) == module.FILE.read_text(encoding="utf-8")


def test_one_version() -> None:
    """It has the others' version, needs the AWS SDK of its user alone, and is installed without scripts."""
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))

    assert __version__ == package["version"]
    assert ["@aws-sdk/client-secrets-manager"] == list(package["peerDependencies"])
    assert "dependencies" not in package
    assert "://" not in (PACKAGE / "package-lock.json").read_text(encoding="utf-8")
    assert "ignore-scripts=true" in (PACKAGE / ".npmrc").read_text(encoding="utf-8")
