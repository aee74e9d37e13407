"""The parts of pages that repeat what code says: `scripts/docs --write` writes them between two marks.

    <!-- generated: errors -->
    ...
    <!-- /generated -->

The words of a row are where the thing is declared, as its docstring. `pages.parts` has a function for each name.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pages.named_parts import PARTS
from pages.terminal import ROOT

MARKED = re.compile(r"(?<=<!-- generated: )([\w-]+)( -->\n).*?(?=<!-- /generated -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return every page that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str, names: Sequence[str] = ()) -> str:
    """Return a page with its parts as they are now: all of them, or those that are named.

    Raises:
        KeyError: It names a part that does not exist.
    """

    def part(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{PARTS[found[1]]()}\n" if found[1] in names or not names else found[0]

    return MARKED.sub(part, text)


def main(*names: str) -> None:
    """Write the parts of all pages, or those that are named; print the pages that have changed."""
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(sorted(PARTS))}")
    for page in pages():
        text = page.read_text("utf-8")
        if (now := filled(text, names)) != text:
            page.write_text(now, "utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main(*sys.argv[1:])
