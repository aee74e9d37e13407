"""The dashboard: what the CDK defines, drawn with metrics that real runs logged. CloudWatch has a style of its own."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pages.chart import Box, Graph, Line, Points, chart, frame, picture, table, text
from pages.days import HOURS, Logged, play
from pages.template import resources

COLUMN, ROW = 50, 40
"""Pixels of the grid that the definition counts in."""
_LOGGED = {"Duration": "DurationMs"}
"""What Lambda measures itself, by what the worker logs."""
_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Minimum": min, "Maximum": max}


def dashboard() -> str:
    """Synthesise the stack, run the worker for days, and draw each widget."""
    widgets, alarms = defined()
    runs = play()
    body = "".join(_widget(widget, runs, alarms) for widget in widgets)
    height = max(widget["y"] + widget["height"] for widget in widgets) * ROW
    return picture(24 * COLUMN, height, body, "The dashboard of a deployment")


def defined() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the widgets of a deployment with a dashboard, and the names of its alarms in the widget's order."""
    made = resources({"environment": "prod", "dashboard": True})
    (found,) = [found for found in made.values() if found["Type"] == "AWS::CloudWatch::Dashboard"]
    joined = found["Properties"]["DashboardBody"]["Fn::Join"][1]
    parts = [part if isinstance(part, str) else _name(part) for part in joined]
    widgets: list[dict[str, Any]] = json.loads("".join(parts))["widgets"]
    (first,) = [widget for widget in widgets if widget["type"] == "alarm"]
    names = [
        made[i]["Properties"]["AlarmName"].removeprefix("token-refresh-prod-") for i in first["properties"]["alarms"]
    ]
    return widgets, names


def _name(reference: dict[str, Any]) -> str:
    """Return the logical ID that a reference in the definition means."""
    target = next(iter(reference.values()))
    return str(target[0] if isinstance(target, list) else target)


def _widget(widget: dict[str, Any], runs: list[Logged], alarms: list[str]) -> str:
    box = Box(
        x=widget["x"] * COLUMN + 3,
        y=widget["y"] * ROW + 3,
        width=widget["width"] * COLUMN - 6,
        height=widget["height"] * ROW - 6,
    )
    properties = widget["properties"]
    if widget["type"] == "alarm":
        return frame(box, properties["title"]) + _alarms(box, alarms)
    if widget["type"] == "log":
        names = re.findall(r"\w+", properties["query"].split("| fields ")[1].split(" | ")[0])
        columns = [name for name in names if name not in {"timestamp", "request_id"}]
        rows = [[str(run.fields.get(name, "")) for name in columns] for run in runs[::-1] if run.fields]
        return table(box, title=properties["title"], columns=columns, rows=rows[:16])
    series = dict(_series(metric, runs) for metric in _metrics(properties["metrics"]))
    notes = properties.get("annotations", {}).get("horizontal", [])
    graph = Graph(
        title=properties["title"],
        unit=properties["yAxis"]["left"]["label"],
        series=series,
        hours=HOURS,
        bars=properties.get("stacked", False),
        annotations=[Line(label=note["label"], value=note["value"], colour=note["color"]) for note in notes],
    )
    return chart(box, graph)


def _alarms(box: Box, alarms: list[str]) -> str:
    width = (box.width - 20) / len(alarms)
    places = [box.x + 10 + width * place for place in range(len(alarms))]
    return "".join(text(x, box.y + 60, name, style="small") for x, name in zip(places, alarms, strict=True))


def _metrics(listed: list[list[Any]]) -> list[tuple[str, str, float]]:
    """Return name, statistic and period in hours of each metric."""
    return [(row[1], row[-1].get("stat", "Average"), row[-1]["period"] / 3600) for row in listed]


def _series(metric: tuple[str, str, float], runs: list[Logged]) -> tuple[str, Points]:
    name, statistic, period_hours = metric
    periods: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        value = {"Invocations": 1, "Errors": int(run.failed)}.get(name, run.fields.get(_LOGGED.get(name, name)))
        if value is not None:
            periods[int(run.hour // period_hours)].append(value)
    several = statistic.startswith("p")
    label = f"{name} {statistic}" if several or statistic == "Maximum" else name
    return label, [(place * period_hours, _of(statistic, values)) for place, values in sorted(periods.items())]


def _of(statistic: str, values: list[float]) -> float:
    if statistic.startswith("p"):
        cuts = statistics.quantiles([*values, *values], n=100, method="inclusive")
        return cuts[int(statistic[1:]) - 1]
    return float(_STATISTICS[statistic](values))
