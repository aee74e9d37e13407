"""The figures of the proof, from the pages that the searches and the kills have written."""

from __future__ import annotations

import re

from pages.docstrings import table
from pages.terminal import ROOT

_PAGES = ROOT / "docs" / "proof"


def figures() -> str:
    """Return how much was searched, planted and killed, and what was found."""
    searches, mutants, kills = ((_PAGES / f"{name}.md").read_text() for name in ("searches", "mutants", "kills"))
    worlds, violations = re.findall(r"^([\d,]+ worlds in \d+ searches), (\d+) violations", searches, re.MULTILINE)[0]
    planted = re.findall(r"^\| [^|]+ \| ([^|]+) \| \d+ \| [\d,]+ \|$", mutants, re.MULTILINE)
    found = sum(violation != "SURVIVED" for violation in planted)
    killed, lost = re.findall(r"^(\d+) processes", kills, re.MULTILINE)[0], kills.count("**lost**")
    return table(
        ("what was done", "what was found"),
        (f"{worlds} of the deployed code, with crashes, races, stale reads and people", f"{violations} violations"),
        (f"{len(planted)} bugs planted into the protocol", f"the search finds {found}"),
        (f"{killed} processes killed at their calls", f"the grant is lost in {lost}, all between response and write"),
    )
