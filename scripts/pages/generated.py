"""The parts of pages that repeat what code says: `scripts/docs --write` writes them between two marks.

    <!-- generated: errors -->
    ...
    <!-- /generated -->

The words of a row are where the thing is declared, as its docstring. `pages.parts` has a function for each name.
"""

import re
from pathlib import Path

from pages.parts import PARTS
from pages.terminal import ROOT

MARKED = re.compile(r"(?<=<!-- generated: )([\w-]+)( -->\n).*?(?=<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return every page that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str) -> str:
    """Return a page with its parts as they are now.

    Raises:
        KeyError: It names a part that does not exist.
    """
    return MARKED.sub(lambda found: f"{found[1]}{found[2]}{PARTS[found[1]]()}\n", text)


def main() -> None:
    """Write the parts of all pages, and name the pages that have changed."""
    for page in pages():
        text = page.read_text("utf-8")
        if (now := filled(text)) != text:
            page.write_text(now, "utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
