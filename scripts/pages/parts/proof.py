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
            f"The worker's code went through {_states(search)}, with crashes, races, stale reads and people",
            f"{search['violations'] or 'none'} broke a promise",
        ),
        (
            f"From {search['left_alone']:,} of these states, only scheduled runs continued, undisturbed",
            "each ended in a refresh or in a dead grant",
        ),
        (f"{mutants['planted']} bugs were planted into the protocol", f"the search found {mutants['found']}"),
        (
            f"{kills['killed']} processes were killed at their calls",
            f"{kills['lost']} lost the grant, all of them in [the gap](#the-gap)",
        ),
    )


def sentence() -> str:
    """Return the same in one sentence."""
    search, mutants, _ = _found()
    return (
        f"A model checker took the worker's code through {_states(search)}: "
        f"{search['violations'] or 'none'} broke a promise.{_left(search)} "
        f"It finds {mutants['found']} of {mutants['planted']} planted bugs."
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
        f"out late. At a single-use provider the grant lives on, except for kills {lost}."
    )


def _found() -> tuple[dict[str, Any], ...]:
    summary = json.loads(_SUMMARY.read_text())
    return tuple(summary[proof] for proof in ("search", "mutants", "kill-matrix"))


def _left(search: dict[str, Any]) -> str:
    """Say who runs the searches that were not run on today's rules."""
    return "" if search["searches"] == search["planned"] else f" Each night, all {search['planned']} run."


def _states(search: dict[str, Any]) -> str:
    of = "" if search["searches"] == search["planned"] else f" of {search['planned']}"
    return f"{search['worlds']:,} states in {search['searches']}{of} searches"
