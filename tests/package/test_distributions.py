"""The wheel and the source distribution, as their users install them."""

import re
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

from package.conftest import ROOT, UV, Environments, run
from repository import tracked
from token_refresh import __version__


class Built(NamedTuple):
    """Wheel and source distribution of each package."""

    reader: Path
    reader_source: Path
    admin: Path
    admin_source: Path
    infra: Path
    infra_source: Path
    worker: Path
    worker_source: Path


@pytest.fixture(scope="module")
def built(release: Path) -> Built:
    """What a release has of each package."""
    paths = [*release.glob("*.whl"), *release.glob("*.tar.gz")]
    return Built(*sorted(paths, key=lambda path: (path.name.split("-")[0], path.suffix == ".gz")))


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    """What a package index shows of the worker."""
    return metadata_of(built.worker)


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(archive.read(name).decode())


def test_an_operator_installs_the_source_distributions(built: Built, environments: Environments) -> None:
    """In an empty environment the source distributions bring a working `token-refresh`, and the library for stacks."""
    environments.install(built.reader_source, built.worker_source, built.admin_source, built.infra_source)

    assert "authorize" in environments.run("token-refresh", "--help").stdout


def test_what_the_packages_need(built: Built, metadata: Message) -> None:
    """The four packages are released together, each with its licence, and the reader needs boto3 alone."""
    infra = metadata_of(built.infra)
    admin = metadata_of(built.admin).get_all("Requires-Dist", [])
    of_reader = metadata_of(built.reader).get_all("Requires-Dist", [])

    assert ["boto3>=1.40"] == [need for need in of_reader if ";" not in need]
    assert f"token-refresh=={__version__}" in metadata.get_all("Requires-Dist", [])
    assert {f"token-refresh=={__version__}", f"token-refresh-worker=={__version__}"} <= {*admin}
    assert f"token-refresh-worker=={__version__}" in infra.get_all("Requires-Dist", [])
    assert (__version__, "Apache-2.0") == (infra["Version"], infra["License-Expression"])
    assert "token_refresh_infra/access.py" in zipfile.ZipFile(built.infra).namelist()


@pytest.mark.parametrize(
    ("package", "folder"), [("token_refresh", ""), ("token_refresh_admin", ""), ("token_refresh_worker", "worker/")]
)
def test_the_source_distribution_holds_what_the_wheel_holds(built: Built, package: str, folder: str) -> None:
    """Each file of a package is in both of its distributions, and no test is."""
    made = built._asdict()
    name = package.removeprefix("token_refresh").lstrip("_") or "reader"
    wheel, source = made[name], made[f"{name}_source"]
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}

    own = f"{folder}{package}/"
    assert in_wheel == {name.removeprefix(folder) for name in names if name.startswith(own)}
    assert f"{package}/py.typed" in in_wheel
    assert {"README.md", "LICENSE", "pyproject.toml"} <= names
    assert set() == {name for name in names if name.startswith(("tests/", "infra/", "docs/"))}


def test_what_ships_beside_the_code(built: Built) -> None:
    """The worker has the provider profiles and no command line; the reader has no part of either."""
    assert "token_refresh_worker/providers/profiles/upwork.toml" in zipfile.ZipFile(built.worker).namelist()
    rooms = {path.name for path in (ROOT / "reader" / "token_refresh").iterdir() if path.is_dir()}
    assert {"aws", "reader", "stored", "testing", "webhooks"} == rooms - {"__pycache__"}


def test_version(metadata: Message) -> None:
    """Package, program and changelog name the same version."""
    latest = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]

    assert [__version__] * 2 == [metadata["Version"], latest]
    assert f"token_refresh-{__version__}-py3-none-any.whl" in (ROOT / "docs" / "reader.md").read_text()


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


def test_the_repository_is_named_once(built: Built, tmp_path: Path) -> None:
    """A person who moves the repository changes one line, and the links of all packages follow."""
    texts = [ROOT / name for name in tracked() if name.endswith((".md", ".toml", ".py", ".yml", ".json"))]
    address = repository_address()

    named = {path.relative_to(ROOT).as_posix(): path.read_text().count(address) for path in texts if path.exists()}
    assert {"pyproject.toml": 1} == {path: count for path, count in named.items() if count}
    for source in (built.reader_source, built.admin_source):
        run(UV, "build", "--quiet", "--no-build-isolation", "--wheel", "--out-dir", tmp_path, source)
    for wheel in (built.reader, built.worker, built.admin, built.infra, *tmp_path.glob("*.whl")):
        assert f"Source, {address}" in metadata_of(wheel).get_all("Project-URL", [])


def repository_address() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    address: str = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    return address


@pytest.mark.parametrize(
    ("project", "package"),
    [(".", "worker/token_refresh_worker"), ("admin", "token_refresh_admin"), ("reader", "token_refresh")],
)
def test_uv_builds_what_changed(project: str, package: str) -> None:
    """Each file that a wheel of the checkout packs is one that uv watches: it goes on with what it built otherwise."""
    folder = ROOT / project
    keys = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["uv"]["cache-keys"]
    watched = {path for key in keys for path in folder.glob(key["file"])}
    packed = {path for path in (folder / package).rglob("*.*") if "__pycache__" not in path.parts}

    assert {"py.typed"} == {path.name for path in packed - watched}
