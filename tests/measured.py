"""Write what a run measured into its page of docs/proof, between `<!-- measured -->` and `<!-- /measured -->`."""

import re
from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).parents[1] / "docs" / "proof"

_MARKED: Final = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", re.DOTALL)


def write(name: str, text: str, pages: Path = PAGES) -> None:
    """Replace what the last run measured; the words around it stay."""
    page = pages / f"{name}.md"
    before, after = _MARKED.split(page.read_text())
    page.write_text(f"{before}{text}\n{after}")
