"""SECURITY.md and the page of threats: each line names tests, and each test that they name exists."""

import ast
import re
from functools import cache
from pathlib import Path

from token_refresh_worker.providers.endpoint import host_of
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.run.settings import GENERIC_PROVIDER

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
SECURITY = (ROOT / "SECURITY.md").read_text()
THREATS = (ROOT / "docs" / "threats.md").read_text()
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    """Return the lines of the tables that name tests, without their heads."""
    sections = re.findall(r"^\| [^\n]* \| test \|\n\| --- [^\n]*\n((?:\|[^\n]*\n)+)", SECURITY, re.MULTILINE)
    return [row for section in sections for row in section.splitlines()]


@cache
def defined_in(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_each_line_names_a_test() -> None:
    """A row of three cells says who can do what, what to do, and which test shows it."""
    found = rows()
    assert len(found) == len([line for line in SECURITY.splitlines() if line.startswith("|") and "::" in line]) > 20
    for row in found:
        cells = row.strip("|").split(" | ")
        assert 3 == len(cells), row
        assert NAMED.search(cells[2]), row
        assert not NAMED.sub("", cells[2]).strip(" ,"), f"something else than tests: {row}"


def test_each_threat_names_a_test() -> None:
    """Below the heading of each actor, each line says what it could try, what stops it, and which test shows that."""
    _, *actors = re.split(r"^## .*\n\n", THREATS, flags=re.MULTILINE)
    assert 10 < len(actors)
    threats = [line for actor in actors for line in actor.splitlines() if line]

    line = re.compile(rf"- \*\*[^*]+\*\*: .+\. {NAMED.pattern}(, {NAMED.pattern})*")
    assert [] == [threat for threat in threats if not line.fullmatch(threat)]


def test_each_named_test_exists() -> None:
    """No name on the pages is one that was changed or removed."""
    named = NAMED.findall(SECURITY + THREATS)
    assert [] == [f"{path}::{name}" for path, name in named if name not in defined_in(path)]


def test_who_revokes_at_another_host() -> None:
    """The page names each provider to whose second host `revoke` sends the token."""
    known = [load_provider(name) for name in profile_names() if name != GENERIC_PROVIDER]
    revoking = {it.title: host_of(it.revocation_endpoint) for it in known if it.revocation_endpoint}
    elsewhere = [it.title for it in known if revoking.get(it.title, it.host) != it.host]
    assert f"which at {' and '.join(elsewhere)} is on another host" in SECURITY


def test_pages_that_offer_the_variable_warn_of_it() -> None:
    """A page that mentions UPWORK_CLIENT_SECRET says who can read it."""
    offering = [
        page for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")] if "UPWORK_CLIENT_SECRET" in page.read_text()
    ]
    assert offering
    assert [] == [page.name for page in offering if "lambda:GetFunctionConfiguration" not in page.read_text()]


def test_every_python_package_is_locked_by_hash() -> None:
    """Each package that is installed anywhere has one version and its hashes, and each installation asks for them."""
    for lock in (ROOT / "locks").glob("*.txt"):
        packages = [line for line in lock.read_text().splitlines() if not line.startswith((" ", "#"))]
        assert packages
        assert [] == [line for line in packages if not re.fullmatch(r"[\w.\[\]-]+==[^ ]+( ; .*)? \\", line)]
        assert len(packages) <= lock.read_text().count("--hash=sha256:")
    for script in ("install", "package"):
        commands = (ROOT / "scripts" / script).read_text().replace("\\\n", " ").splitlines()
        installing = [line for line in commands if "pip install" in line or "pip sync" in line]
        # Without dependencies, only what is in the repository itself can be installed.
        assert installing
        assert [] == [line for line in installing if "--require-hashes" not in line and "--no-deps" not in line]


def test_what_is_supported_is_there() -> None:
    """The page calls a release supported once the changelog has one that was published, and until then the branch."""
    _, *versions = re.split(r"^## \[(?=\d)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    published = [version for version in versions if "It was never published." not in version]

    assert versions
    assert bool(published) != ("Nothing is released yet: the branch `main` is supported." in SECURITY)
