"""What every test leaves as it found it, and what the tests of a deployment share."""

import gc
import logging
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import token_refresh_worker.cold_start  # noqa: F401 - turns the garbage collector off, which is on in tests
from deployment.emulator import ROOT, Emulator

gc.enable()


@pytest.fixture(autouse=True)
def libraries_log_as_before() -> Iterator[None]:
    """Give the root logger and the warnings back: the handler takes them over, and its output ends with its test."""
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], warnings.showwarning = handlers, show
    root.setLevel(level)


@pytest.fixture(scope="session")
def code() -> Path:
    """The function's zip, as it is deployed."""
    built = subprocess.run([ROOT / "scripts" / "package"], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own script
    return ROOT / built.stdout.strip()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of AWS; see tests/deployment."""
    with Emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator
