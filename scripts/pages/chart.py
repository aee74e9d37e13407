"""Charts and tables as SVG, in the size of a dashboard's widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import TypeAlias

Points: TypeAlias = Sequence[tuple[float, float]]
"""Hours since the beginning, and the value there."""

COLOURS = ("#1f77b4", "#2ca02c", "#ff7f0e", "#d62728", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 32, 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a widget is, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A horizontal annotation."""

    label: str
    value: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Lines, or stacked bars, over the hours."""

    title: str
    unit: str
    series: Mapping[str, Points]
    hours: float
    bars: bool
    annotations: Sequence[Line]


def text(x: float, y: float, words: str, *, style: str = "", anchor: str = "start") -> str:
    """Write words."""
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def frame(box: Box, title: str) -> str:
    """Draw a widget's frame and title."""
    rectangle = f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" class="frame"/>'
    return rectangle + text(box.x + 10, box.y + 19, title, style="title")


def chart(box: Box, graph: Graph) -> str:
    """Draw a graph into a widget."""
    series, hours, bars, annotations = graph.series, graph.hours, graph.bars, graph.annotations
    step = _step(max([line.value for line in annotations] + _tops(series, bars=bars), default=0))
    highest = 4 * step

    def x(hour: float) -> float:
        return box.x + _LEFT + hour / hours * (box.width - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return box.y + box.height - _BOTTOM - value / highest * (box.height - _TOP - _BOTTOM)

    parts = [frame(box, graph.title), text(box.x + _LEFT, box.y + 31, graph.unit, style="small")]
    for value in (0, step, 2 * step, 3 * step, highest):
        parts.append(f'<path d="M{x(0):.0f} {y(value):.0f}H{x(hours):.0f}" class="grid"/>')
        parts.append(text(x(0) - 6, y(value) + 4, f"{value:,g}", style="small", anchor="end"))
    parts += [text(x(day * 24), y(0) + 14, f"day {day + 1}", style="small") for day in range(ceil(hours / 24))]
    for line in annotations:
        parts.append(f'<path d="M{x(0):.0f} {y(line.value):.0f}H{x(hours):.0f}" stroke="{line.colour}" class="note"/>')
        parts.append(text(x(hours) - 4, y(line.value) - 4, line.label, style="small", anchor="end"))
    below: dict[float, float] = {}
    for (_, points), colour in zip(series.items(), COLOURS, strict=False):
        if not bars:
            path = "L".join(f"{x(hour):.1f} {y(value):.1f}" for hour, value in points)
            parts += [f'<path d="M{path}" stroke="{colour}" class="line"/>'] if path else []
            continue
        for hour, value in points:
            if value:
                base = below.get(hour, 0)
                below[hour] = base + value
                height = y(base) - y(base + value)
                where = f'x="{x(hour):.1f}" y="{y(base + value):.1f}"'
                parts.append(f'<rect {where} width="5" height="{height:.1f}" fill="{colour}"/>')
    return "".join([*parts, _legend(box, series)])


def _step(most: float) -> float:
    """Return a round distance of the grid's lines, four of which reach `most`."""
    rough = max(most, 1) / 4
    steps = (base * 10.0**power for power in range(-1, 9) for base in (1, 2, 2.5, 5))
    return next(step for step in steps if step >= rough)


def _tops(series: Mapping[str, Points], *, bars: bool) -> list[float]:
    if not bars:
        return [value for points in series.values() for _, value in points]
    together: dict[float, float] = {}
    for points in series.values():
        for hour, value in points:
            together[hour] = together.get(hour, 0) + value
    return list(together.values())


def _legend(box: Box, series: Mapping[str, Points]) -> str:
    x, parts = box.x + 12, []
    for name, colour in zip(series, COLOURS, strict=False):
        parts.append(f'<rect x="{x:.0f}" y="{box.y + box.height - 17:.0f}" width="8" height="8" fill="{colour}"/>')
        parts.append(text(x + 11, box.y + box.height - 9, name, style="small"))
        x += 22 + 5.6 * len(name)
    return "".join(parts)


def table(box: Box, *, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw rows below a heading."""
    width = (box.width - 20) / len(columns)
    parts = [frame(box, title)]
    for number, row in enumerate([columns, *rows]):
        style = "head" if number == 0 else "small"
        parts += [
            text(box.x + 10 + width * column, box.y + 40 + 16 * number, cell, style=style)
            for column, cell in enumerate(row)
        ]
    return "".join(parts)


def picture(width: float, height: float, body: str, description: str) -> str:
    """Return the whole SVG."""
    style = (
        "text{font:12px system-ui,sans-serif;fill:#16191f}.title{font-weight:600}.small{font-size:10px;fill:#545b64}"
        ".head{font-size:10px;font-weight:600}.frame{fill:#fff;stroke:#d5dbdb}.grid{stroke:#eaeded}"
        ".line{fill:none;stroke-width:1.5}.note{stroke-width:1;stroke-dasharray:4 3}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(description)}"><style>{style}</style>'
        f'<rect width="100%" height="100%" fill="#f2f3f3"/>{body}</svg>\n'
    )
