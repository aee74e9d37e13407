"""What the commands print with: consoles, times, and the bar that shows how much of a lifetime is left."""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from token_refresh.stored import times

_BAR_CELLS: Final = 30
_UNITS: Final = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def output() -> Console:
    """Give standard output; no colour where it is no terminal, or NO_COLOR is set."""
    return Console(highlight=False)


def errors() -> Console:
    """Give standard error, for what is not the answer itself."""
    return Console(stderr=True, highlight=False)


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one JSON object, for machines."""
    sys.stdout.write(json.dumps(fields, indent=2) + "\n")


def fields_table(rows: Iterable[tuple[str, str | Text | None]]) -> Table:
    """Lay out names and values in two columns; a row without a value is left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value is not None:
            table.add_row(name, Text(value) if isinstance(value, str) else value)
    return table


def when(moment: datetime) -> str:
    """Write a moment, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def when_from(moment: datetime, now: datetime) -> str:
    """Write a moment, and how far it is from now."""
    return f"{when(moment)} ({relative(moment - now)})"


def relative(distance: timedelta) -> str:
    """Write how far away something is: `in 7 h 12 min`, `3 d 2 h ago`."""
    return f"{span(-distance)} ago" if distance < timedelta(0) else f"in {span(distance)}"


def span(duration: timedelta) -> str:
    """Write a duration by its two largest units."""
    parts: list[str] = []
    rest = abs(duration)
    for unit, name in _UNITS:
        count, rest = divmod(rest, unit)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts[:2]) if parts else f"{int(rest.total_seconds())} s"


def iso(moment: datetime | None) -> str | None:
    """Write a moment for machines."""
    return None if moment is None else times.iso(moment)


def bar(left: float, due: float, style: str) -> Text:
    """Draw what is left of a lifetime, and where in it the refresh is due.

    Args:
        left: The share that is left, 0 to 1.
        due: The share that is left when the refresh is due.
        style: The colour of what is left.
    """
    full = round(max(0.0, min(1.0, left)) * _BAR_CELLS)
    mark = min(_BAR_CELLS - 1, round(max(0.0, due) * _BAR_CELLS))
    text = Text()
    for cell in range(_BAR_CELLS):
        text.append("┃" if cell == mark else "█" if cell < full else "░", style if cell < full else "dim")
    return text


def show_result(result: dict[str, str | None], *, as_json: bool) -> None:
    """Print what a run returned."""
    known = {name: value for name, value in result.items() if value is not None}
    if as_json:
        print_json(known)
        return
    outcome = known.pop("outcome", "no outcome")
    output().print(Text(outcome.replace("_", " "), style="bold"))
    output().print(fields_table((name.replace("_", " "), value) for name, value in known.items()))
