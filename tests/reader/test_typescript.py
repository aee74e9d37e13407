"""The reader for TypeScript (`reader-typescript/`) does what this one does."""

import json
import re
import secrets
from pathlib import Path

import pytest

from examples import SHARE
from reader import secret_vectors, vectors
from reader.typescript import PACKAGE, node
from token_refresh import __version__

MANY = 20
"""So many failures are named only."""


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


def test_random_vectors(typescript: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Both readers judge 300 odd documents and 300 lives of a secret alike; each night, 10,000 and 2,000."""
    caplog.set_level("ERROR")
    seed = secrets.randbelow(2**40)
    documents, lives = (10_000, 2_000) if SHARE == 1 else (300, 300)
    file = typescript / "random.json"
    file.write_text(vectors.text(vectors.random_vectors(seed, documents=documents, lives=lives)), encoding="utf-8")

    done = node(typescript, "--test", "--test-reporter=tap", "test/vectors.test.js", VECTORS=str(file))

    failed = re.findall(r"^not ok \d+ - (.*)$", done.stdout, re.MULTILINE)
    assert 0 == done.returncode, f"seeds that failed: {failed}\n{done.stdout if len(failed) < MANY else failed}"
    assert documents + lives == done.stdout.count("\nok ")


def test_a_service_is_tested_with_the_fakes(typescript: Path, tmp_path: Path) -> None:
    """The README's example compiles and passes in a folder of its own, against the package as it is installed."""
    page = (PACKAGE / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"## Test your service\n.*?```ts\n(.*?)```", page, re.DOTALL)
    (tmp_path / "service.test.ts").write_text(example, encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "node_modules").mkdir()
    for name in ("@aws-sdk", "@types"):
        (tmp_path / "node_modules" / name).symlink_to(PACKAGE / "node_modules" / name)
    (tmp_path / "node_modules" / "token-refresh-reader").symlink_to(typescript)
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--types", "node", "--skipLibCheck")

    compiled = node(tmp_path, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc", *options, "service.test.ts")
    done = node(tmp_path, "--test", "--test-reporter=tap", "service.test.js")

    assert 0 == compiled.returncode, compiled.stdout
    assert 0 == done.returncode, done.stdout
    assert 3 == len(re.findall(r"^ok ", done.stdout, re.MULTILINE))


def test_one_version() -> None:
    """It has the others' version, needs the AWS SDK of its user alone, and is installed without scripts."""
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))

    assert __version__ == package["version"]
    assert ["@aws-sdk/client-lambda", "@aws-sdk/client-secrets-manager"] == list(package["peerDependencies"])
    assert {"@aws-sdk/client-lambda": {"optional": True}} == package["peerDependenciesMeta"]
    assert "dependencies" not in package
    assert "://" not in (PACKAGE / "package-lock.json").read_text(encoding="utf-8")
    assert "ignore-scripts=true" in (PACKAGE / ".npmrc").read_text(encoding="utf-8")
