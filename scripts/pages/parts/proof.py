"""The figures of the proof, from the pages that the searches and the kills have written."""

from __future__ import annotations

import re

from pages.docstrings import table
from pages.terminal import ROOT

_PAGES = ROOT / "docs" / "proof"


def figures() -> str:
    """Return how much was searched, planted and killed, and what was found."""
    (worlds, violations), (planted, found), (killed, lost) = _counts()
    return table(
        ("what was done", "what was found"),
        (f"{worlds} of the worker's code, with crashes, races, stale reads and people", f"{violations} violations"),
        (f"{planted} bugs planted into the protocol", f"the search finds {found}"),
        (f"{killed} processes killed at their calls", f"the grant is lost in {lost}, all of them in the window below"),
    )


def sentence() -> str:
    """Return the same in one sentence."""
    (worlds, violations), (planted, found), (killed, lost) = _counts()
    return (
        f"The worker's code ran through every order of events within bounds, {worlds}: "
        f"{violations} broke a promise. {found} of {planted} planted bugs are found. Of {killed} killed processes "
        f"{lost} lost the grant, all between request and write at a single-use provider."
    )


def _counts() -> tuple[tuple[str, str], tuple[int, int], tuple[str, int]]:
    searches, mutants, kills = ((_PAGES / f"{name}.md").read_text() for name in ("searches", "mutants", "kills"))
    worlds = re.findall(r"^([\d,]+ worlds in \d+ searches), (\d+) violations", searches, re.MULTILINE)[0]
    planted = re.findall(r"^\| [^|]+ \| ([^|]+) \| \d+ \| [\d,]+ \|$", mutants, re.MULTILINE)
    found = sum(violation != "SURVIVED" for violation in planted)
    killed = re.findall(r"^(\d+) processes", kills, re.MULTILINE)[0]
    return worlds, (len(planted), found), (killed, kills.count("**lost**"))
