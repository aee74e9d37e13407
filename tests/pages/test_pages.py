"""README and docs: short where they have to be, found from the index, and with examples that work."""

import fnmatch
import os
import re
from pathlib import Path

import pytest

from repository import tracked
from token_refresh import reader, testing, webhooks
from token_refresh_admin import grants

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
INDEX = (ROOT / "docs" / "README.md").read_text()
SITE = {f"{name}.md" for name in ("index", "pitch", "security", "contributing", "changelog")}
"""What docs/conf.py takes from elsewhere."""
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in {"README.md", *SITE})


def test_two_commands_do_all_the_setup() -> None:
    """The README is short, its quick start two scripts of CI with the installer's sizes, its deployment three lines."""
    assert len(README.split()) <= 700
    assert 3 == len(re.findall(r"^\$ ", README.split("\n## Deploy it\n")[1].split("\n## ")[0], re.MULTILINE))
    section = README.split("\n## Quick start\n")[1].split("\n## ")[0]
    install = (ROOT / "scripts" / "install").read_text()
    size = dict(re.findall(r'^ *(\w+)\) size="([^"]+)"', install, re.MULTILINE))

    demo, tests = re.findall(r"^```sh\n(.+)\n```$", section, re.MULTILINE)

    assert all(os.access(ROOT / command, os.X_OK) for command in (demo, tests))
    assert f"exec {tests}" in (ROOT / ".ci" / "run").read_text().splitlines()
    assert f"- run: {demo}\n" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert f"({size['demo']} of packages;" in section
    assert ("1.1 GB", "220 MB") == (size["all"], size["emulator"])
    assert "(1.3 GB, " in section


def test_relative_links() -> None:
    """The index leads to each page once; each link, of the README, too, to a file, and a heading that it names."""
    assert [] == [page.name for page in PAGES if INDEX.count(f"]({page.name})") != 1]
    beside = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md")]
    broken = []
    for page in [*beside, *PAGES]:
        for target, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            file = page.parent / target if target else page
            if not file.exists() or (heading and heading not in headings(file)):
                broken.append(f"{page.name}: {target}#{heading}")

    assert [] == broken


def test_files_with_secrets() -> None:
    """Each page on which a command reads a secret from a file says that only its owner may read it, and removes it."""
    reads = re.compile(r"--client-file client\.json|file://(?!keep|examples)[a-z]+\.(?:json|txt)")
    pages = {path.name: path.read_text() for path in [ROOT / "README.md", *PAGES] if path.name != "commands.md"}
    naming = {name for name, text in pages.items() if reads.search(text)}
    assert {"README.md", "tutorial.md", "fleet.md", "webhooks.md", "events.md"} <= naming
    for rule in (
        "umask 077|#make-a-secret",
        r"\brm [a-z]+\.|[Dd]elete `?client\.json|delete (?:that file )?afterwards",
    ):
        assert naming == {name for name in naming if re.search(rule, pages[name])}


def test_the_site_has_the_order_of_the_index() -> None:
    """The site's menu has the groups and pages of docs/README.md, between the front page and the changelog."""
    site = (ROOT / "docs" / "index.md").read_text()
    menu = re.findall(r"^:caption: (.+)\n\n((?:[\w-]+\n)+)", site, re.MULTILINE)
    listed = re.findall(r"^(\w[\w ]*):\n\n((?:- .*\n)+)", INDEX, re.MULTILINE)
    names = [Path(target).stem.lower() for _, rows in listed for target in re.findall(r"\]\(([^)]+)\)", rows)]

    assert [caption for caption, _ in listed] == [caption for caption, _ in menu]
    assert ["pitch", *names, "changelog"] == [name for _, pages in menu for name in pages.split()]


def headings(page: Path) -> list[str]:
    """The anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "worker/README.md"])
def test_files_that_the_maintainers_pages_name_exist(page: str) -> None:
    """A file or folder is named by its path, or by the end of it."""
    folders = ("worker", "admin", "reader", "infra", "tests", "scripts", "docs")
    paths = [f"/{path.relative_to(ROOT)}/" for folder in folders for path in (ROOT / folder).rglob("*")]
    there = [*paths, *(f"/{path.name}/" for path in ROOT.iterdir())]
    named = re.findall(r"`([\w./*-]+(?:/|\.py|\.toml|\.md|\.json))`", (ROOT / page).read_text())

    assert [] == [name for name in named if not fnmatch.filter(there, f"*/{name.strip('/')}/")]
    assert 20 < len(named)


def test_the_map_has_a_row_for_each_folder() -> None:
    """CONTRIBUTING's map describes each folder of the repository, and the top level has no other files than these."""
    shown = [name.split("/") for name in tracked() if not name.startswith(".")]
    section = (ROOT / "CONTRIBUTING.md").read_text().split("\n## The map\n")[1].split("\n## ")[0]

    rows = re.findall(r"^\| `([\w-]+)/` \|", section, re.MULTILINE)
    files = {parts[0] for parts in shown if len(parts) == 1}
    assert sorted({parts[0] for parts in shown if len(parts) > 1}) == sorted(rows)
    assert {"LICENSE", "hatch_build.py", "pyproject.toml"} == {name for name in files if not name.endswith(".md")}


def test_the_worker_explains_itself_in_a_minute() -> None:
    """`worker/README.md` has at most 600 words, and the README's first screen leads to it."""
    assert len((ROOT / "worker" / "README.md").read_text().split()) <= 600
    assert "](worker/README.md)" in README.split("\n## ")[0]
    for word in ("EventBridge", "`PutSecretValue`", "version stage", "httpx", "tenacity", "structlog"):
        assert word in README.split("\n## ")[0]


def test_comparisons_agree() -> None:
    """Each alternative in docs/compare.md's table has a section, in the same order; handlers share one."""
    page = (ROOT / "docs" / "compare.md").read_text()
    rows = re.findall(r"^\| ([^|*-]+?) \|", page.split("\n## ")[0], re.MULTILINE)
    sections = re.findall(r"^## (.+)$", page, re.MULTILINE)
    words = ("handler", "rotation", "Confluence", "Nango", "n8n|Windmill", "oauthapp")

    for named in (rows, sections[: len(words)]):
        assert list(words) == [*dict.fromkeys(next(word for word in words if re.search(word, name)) for name in named)]


def test_api_is_complete() -> None:
    """docs/api.md documents each public name of the reader, the webhooks, the fakes and grants once."""
    page = (ROOT / "docs" / "api.md").read_text()
    documented = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)$", page, re.MULTILINE)

    of_grants = set(grants.__all__) - {"Account", "TokenRefreshError"}
    public = [*reader.__all__, *webhooks.__all__, *testing.__all__, *of_grants, *["TokenAuth"] * 3]
    assert sorted(public) == sorted(documented)
