"""The wheel and the source distribution, as their users install them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
READ = """
from token_refresh.reader import TokenReader, TokenRefreshError
TokenReader("tokens")
try:
    import httpx
except ImportError:
    print("the reader needs boto3 alone")
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours


@pytest.fixture(scope="module")
def built() -> tuple[Path, Path]:
    """Give the wheel and the source distribution."""
    wheel, source = (ROOT / line for line in run(ROOT / "scripts" / "package", "wheel").split())
    return wheel, source


def install(folder: Path, distribution: str | Path) -> Path:
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    run(UV, "pip", "install", "--quiet", "--python", folder, "--constraint", ROOT / "locks" / "all.txt", distribution)
    return folder / "bin"


def test_a_service_installs_the_reader_with_boto3_alone(built: tuple[Path, Path], tmp_path: Path) -> None:
    """In an empty environment the wheel's base brings the reader, and no HTTP client."""
    bin_folder = install(tmp_path / "venv", built[0])

    assert "the reader needs boto3 alone" == run(bin_folder / "python", "-c", READ, cwd=tmp_path).strip()


def test_an_operator_installs_the_command(built: tuple[Path, Path], tmp_path: Path) -> None:
    """In an empty environment the extra `cli` brings a working `token-refresh`."""
    bin_folder = install(tmp_path / "venv", f"{built[0]}[cli]")

    assert "authorize" in run(bin_folder / "token-refresh", "--help", cwd=tmp_path)


def test_the_source_distribution_holds_what_the_wheel_holds(built: tuple[Path, Path]) -> None:
    """Each file of the package is in both, the provider profiles included, and no test is."""
    wheel, source = built
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if name.startswith("token_refresh/")}
    with tarfile.open(source) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}

    assert in_wheel == {name.removeprefix("worker/") for name in names if name.startswith("worker/")}
    assert "token_refresh/py.typed" in in_wheel
    assert "token_refresh/providers/profiles/upwork.toml" in in_wheel
    assert {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= names
    assert set() == {name for name in names if name.startswith(("tests/", "infra/", "docs/"))}
