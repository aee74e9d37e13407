"""docs/pictures: each file is what `scripts/pictures` makes now."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from pages import captures
from pages.pictures import FOLDER, MADE
from pages.terminal import normalised
from token_refresh.advice import Command
from token_refresh_admin.cli.browser import authorized

ROOT = Path(__file__).parents[2]
MOST_BYTES = 150_000
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def words(text: str) -> list[str]:
    """What is between the tags."""
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL).replace("&#160;", " ").split()


def test_the_status_is_current() -> None:
    """The capture is what the command prints today, apart from IDs and times; tests/demos has the demo's."""
    assert (FOLDER / "status.svg").read_text() == captures.status(), "run: scripts/pictures status.svg"


def test_normalised() -> None:
    """IDs keep telling versions apart, in either length and inside colours; moments keep their distance."""
    printed = "\x1b[2m0a93b4be\x1b[0m 0a93b4be-626f-41b3-8112-6f05afee3a30 b6042767 2026-11-25 12:30:07 UTC, in 12 s"
    shown = normalised(printed, datetime(2026, 11, 25, 12, tzinfo=UTC))

    short, full, other, rest = shown.split(" ", 3)
    assert f"\x1b[2m{full[:8]}\x1b[0m" == short
    assert other != full[:8]
    assert "2026-11-24 08:30:00 UTC, in 9 s" == rest


def test_the_pages_describe_the_authorization_page() -> None:
    """The screenshot's description has the words of the page that the program shows."""
    (described,) = {
        alt for page in PAGES for alt in re.findall(r"!\[([^\]]*)\]\([^)]*authorized\.png\)", page.read_text())
    }
    shown = " ".join(
        words(authorized("upwork-oauth-tokens", Command.of("token-refresh status upwork-oauth-tokens")))[1:]
    )

    assert described.split(": ", 1)[1].split(". ")[0] in shown


def test_files() -> None:
    """Each picture is small, shown on a page, made by the script and in its help, and loads nothing."""
    files = {path.name: path for path in FOLDER.iterdir()}
    shown = {Path(target).name for page in PAGES for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())}
    told = subprocess.run([ROOT / "scripts" / "pictures", "-h"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours

    assert {*MADE, "authorized.png", "parts.svg"} == set(files)
    assert {*files} <= shown
    assert [] == [name for name in MADE if f"\n  {name}  " not in told]
    assert [] == [name for name, path in files.items() if path.stat().st_size > MOST_BYTES]
    for path in FOLDER.glob("*.svg"):
        hosts = set(re.findall(r"https?://[^\"' )]+", path.read_text()))
        assert {"http://www.w3.org/2000/svg"} == hosts - {"https://www.textualize.io"}
