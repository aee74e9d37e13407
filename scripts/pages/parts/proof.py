"""The figures of the proof, from the summary that searches and kills have written."""

import json
from typing import Any

from pages.docstrings import table
from pages.terminal import ROOT

_SUMMARY = ROOT / "docs" / "proof.json"


def figures() -> str:
    """Return how much was searched, planted and killed, and what was found."""
    search, mutants, kills = _found()
    return table(
        ("what was done", "what was found"),
        (
            f"{_worlds(search)} of the worker's code, with crashes, races, stale reads and people",
            f"{search['violations']} violations",
        ),
        (
            f"{search['left_alone']:,} of their states, continued undisturbed with scheduled runs only",
            "each reaches a refresh, or a grant that is dead",
        ),
        (f"{mutants['planted']} bugs planted into the protocol", f"the search finds {mutants['found']}"),
        (
            f"{kills['killed']} processes killed at their calls",
            f"the grant is lost in {kills['lost']}, all of them in the window below",
        ),
    )


def sentence() -> str:
    """Return the same in one sentence."""
    search, mutants, kills = _found()
    return (
        f"The worker's code ran through every order of events within bounds, {_worlds(search)}: "
        f"{search['violations']} broke a promise.{_left(search)} "
        f"{mutants['found']} of {mutants['planted']} planted bugs are found. "
        f"Of {kills['killed']} killed processes {kills['lost']} lost the grant, all between request and write at a "
        "single-use provider."
    )


def window() -> str:
    """Return where a process was killed during a refresh, and when that cost the grant at a single-use provider."""
    kills = json.loads(_SUMMARY.read_text())["kill-matrix"]["refresh"]
    if any(lost for *_, (_, *others) in kills for lost in others):
        raise ValueError("a grant is lost at a provider that accepts the old token: this sentence says that none is")
    calls = len({number for number, *_ in kills})
    lost = " and ".join(
        f"{when} call {number} ({call})" for number, call, when, (single_use, *_) in kills if single_use
    )
    return (
        f"A process was killed before and after each of the {calls} calls of a refresh, and where the call was carried "
        f"out late. At a single-use provider the grant lives on, but for these kills: {lost}."
    )


def _found() -> tuple[dict[str, Any], ...]:
    summary = json.loads(_SUMMARY.read_text())
    return tuple(summary[proof] for proof in ("search", "mutants", "kill-matrix"))


def _left(search: dict[str, Any]) -> str:
    """Say who runs the searches that were not run on today's rules."""
    return "" if search["searches"] == search["planned"] else " All searches run each night."


def _worlds(search: dict[str, Any]) -> str:
    of = "" if search["searches"] == search["planned"] else f" of {search['planned']}"
    return f"{search['worlds']:,} worlds in {search['searches']}{of} searches"
