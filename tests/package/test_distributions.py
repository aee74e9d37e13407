"""The wheel and the source distribution, as their users install them."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from token_refresh import __version__

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


@pytest.fixture(scope="module")
def metadata(built: tuple[Path, Path]) -> Message:
    """What PyPI shows of the package."""
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(archive.read(name).decode())


def install(folder: Path, distribution: str | Path) -> Path:
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    run(UV, "pip", "install", "--quiet", "--python", folder, "--constraint", ROOT / "locks" / "all.txt", distribution)
    return folder / "bin"


def test_a_service_installs_the_reader_with_boto3_alone(built: tuple[Path, Path], tmp_path: Path) -> None:
    """In an empty environment the wheel's base brings the reader, and no HTTP client."""
    bin_folder = install(tmp_path / "venv", built[0])

    assert "the reader needs boto3 alone" == run(bin_folder / "python", "-c", READ, cwd=tmp_path).strip()


@pytest.mark.parametrize("kind", [0, 1], ids=["wheel", "source"])
def test_an_operator_installs_the_command(built: tuple[Path, Path], kind: int, tmp_path: Path) -> None:
    """In an empty environment the extra `cli` of either distribution brings a working `token-refresh`."""
    bin_folder = install(tmp_path / "venv", f"{built[kind]}[cli]")

    assert "authorize" in run(bin_folder / "token-refresh", "--help", cwd=tmp_path)


def test_uvx_runs_the_command(built: tuple[Path, Path], tmp_path: Path) -> None:
    """`uvx --from` runs the command without installing it."""
    uvx = (UV, "tool", "run", "--quiet", "--python", sys.executable, "--constraints", ROOT / "locks" / "all.txt")

    assert (
        f"token-refresh {__version__}"
        == run(*uvx, "--from", f"{built[0]}[cli]", "token-refresh", "--version", cwd=tmp_path).strip()
    )


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


def test_version(metadata: Message) -> None:
    """Package, program and changelog name the same version."""
    latest = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]

    assert [__version__] * 2 == [metadata["Version"], latest]
    assert f"token_refresh_worker-{__version__}-py3-none-any.whl" in (ROOT / "docs" / "reader.md").read_text()


def test_links_work_on_pypi(metadata: Message) -> None:
    """The README on PyPI has absolute links and pictures, and each path is a file of the repository."""
    readme = str(metadata.get_payload())
    repository = repository_address()
    targets = re.findall(r"\]\(([^)\s]+)\)", readme)
    ours = [target.removeprefix(repository) for target in targets if target.startswith(repository)]

    assert ours
    assert all(target.startswith("https://") for target in targets)
    for target in ours:
        kind, branch, path = target.removeprefix("/").split("/", 2)
        assert "main" == branch
        assert ("raw" if path.endswith((".svg", ".png")) else "blob") == kind
        assert (ROOT / path.partition("#")[0]).exists()


def test_the_repository_is_named_once() -> None:
    """Whoever moves the repository changes one line."""
    tracked = run("git", "ls-files", "-z").split("\0")
    texts = [ROOT / name for name in tracked if name.endswith((".md", ".toml", ".py", ".yml", ".json"))]
    address = repository_address()

    assert [ROOT / "pyproject.toml"] == [path for path in texts if path.exists() and address in path.read_text()]
    assert 1 == (ROOT / "pyproject.toml").read_text().count(address)


def repository_address() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    address: str = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    return address
