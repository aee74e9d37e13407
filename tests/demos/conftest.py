"""Lets `scripts/demo` find what `scripts/install demo` installs, and nothing else of this machine's environment."""

import os
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

GROUP = "unmeasured"

ROOT = Path(__file__).parents[2]
_SITE = """
import sys

class _Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {absent!r}:
            raise ModuleNotFoundError("scripts/install demo does not install " + name, name=name)

sys.meta_path.insert(0, _Absent())
"""


@pytest.fixture(scope="session")
def as_installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder for PYTHONPATH that hides each package outside the demo's lock from every Python process."""
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "locks" / "demo.txt").read_text(), re.MULTILINE)
    present = {_normal(name) for name in (*locked, "token-refresh-worker", "pip", "coverage")}
    absent = {
        module
        for module, distributions in packages_distributions().items()
        if module not in sys.stdlib_module_names and not present & {_normal(name) for name in distributions}
    }
    assert {"moto", "pytest"} <= absent
    folder = tmp_path_factory.mktemp("as-installed")
    (folder / "sitecustomize.py").write_text(_SITE.format(absent=absent))
    return folder


@pytest.fixture(autouse=True)
def _fresh_machine(request: pytest.FixtureRequest, as_installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.stem not in {"test_customers", "test_serve"}:  # These install everything.
        monkeypatch.setenv("PYTHONPATH", str(as_installed), prepend=os.pathsep)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
