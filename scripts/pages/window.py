"""The window: where a run was killed, and whether the grant lives on, drawn from docs/proof.json."""

from __future__ import annotations

import json
from typing import NamedTuple

from pages.chart import picture, text
from pages.terminal import ROOT

_SUMMARY = ROOT / "docs" / "proof.json"
_SHIFT = {"before": -8, "after": 8, "late": 8}
"""Where a kill stands beside its call; time runs down."""
_PROVIDERS = ("single use", "grace", "static")
_CAPTIONS = (
    (20, 0, "Each mark is a process that was killed just before the call, or after it."),
    (20, 1, "Ring: the call was on its way, and was carried out late; the grant is alive."),
    (415, 0, "Dot: the grant is alive."),
    (415, 1, "Cross: it is lost."),
)
_LEFT, _TOP, _STEP, _COLUMN, _WIDTH = 340, 76, 46, 150, 820


class Kill(NamedTuple):
    """One process that was killed."""

    number: int
    call: str
    when: str
    column: int
    lost: bool

    @property
    def y(self) -> int:
        """Where it is drawn."""
        return _TOP + (self.number - 1) * _STEP + _SHIFT[self.when]


def kills() -> list[Kill]:
    """Return the kills of a scheduled refresh with claims in the secret."""
    return [
        Kill(number, call, when, column, lost)
        for number, call, when, ends in json.loads(_SUMMARY.read_text())["kill-matrix"]["refresh"]
        for column, lost in enumerate(ends)
    ]


def window() -> str:
    """Draw each kill beside its call, and the window as a band."""
    found = kills()
    calls = {kill.number: kill.call for kill in found}
    top, *_, bottom = sorted(kill.y for kill in found if kill.lost)
    end = _TOP + len(calls) * _STEP
    parts = [
        f'<rect x="10" y="{top - 11}" width="{_WIDTH - 20}" height="{bottom - top + 22}" fill="#fdecea"/>',
        text(_WIDTH - 20, (top + bottom) / 2 + 4, "the window", style="title", anchor="end"),
        text(20, 34, "A run's calls, in their order", style="title"),
    ]
    for column, provider in enumerate(_PROVIDERS):
        x = _x(column)
        parts += [text(x, 34, provider, style="title", anchor="middle"), f'<path d="M{x} 46V{end - 16}" class="grid"/>']
    parts += [text(20, _TOP + (number - 1) * _STEP + 4, f"{number}  {call}") for number, call in calls.items()]
    parts += [_mark(kill) for kill in found]
    parts += [text(x, end + 12 + 16 * line, words, style="small") for x, line, words in _CAPTIONS]
    return picture(_WIDTH, end + 44, "".join(parts), "Where a run was killed, and whether the grant lives on")


def _x(column: int) -> int:
    return _LEFT + column * _COLUMN


def _mark(kill: Kill) -> str:
    x = _x(kill.column)
    if kill.lost:
        return f'<path d="M{x - 6} {kill.y - 6}l12 12m0 -12l-12 12" stroke="#d62728" stroke-width="4"/>'
    if kill.when == "late":
        return f'<circle cx="{x + 16}" cy="{kill.y}" r="5" fill="none" stroke="#2ca02c" stroke-width="2"/>'
    return f'<circle cx="{x}" cy="{kill.y}" r="6" fill="#2ca02c"/>'
