"""Terminal captures: a command really runs, and rich draws what it printed."""

import io
import os
import re
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 80
COLOURS = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
"""What makes a command print as for a terminal."""
BEGAN = datetime(2026, 11, 24, 8, tzinfo=UTC)
"""The moment at which every capture says that it was made."""

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_ID = re.compile(r"(?<![0-9a-f-])(?=[0-9a-f]*\d)[0-9a-f]{8}((?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?(?![0-9a-f-])")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_TOOK = re.compile(r"in \d+ s\b")
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Return what a command printed, with the colours that a terminal gets."""
    done = subprocess.run(  # noqa: S603 - our own programs
        command, cwd=ROOT, env={**os.environ, **(environment or {}), **COLOURS}, stdout=subprocess.PIPE, check=False
    )
    return done.stdout.decode()


def plain(line: str) -> str:
    """Return a line without its colours."""
    return _ESCAPE.sub("", line)


def normalised(text: str, began: datetime) -> str:
    """Replace what differs between runs: IDs, moments, and how long it took; nothing else."""
    names: dict[str, str] = {}

    def identifier(found: re.Match[str]) -> str:
        name = names.setdefault(found[0][:8], str(uuid.uuid5(uuid.NAMESPACE_URL, str(len(names)))))
        return name if found[1] else name[:8]

    def moment(found: re.Match[str]) -> str:
        seen = datetime.strptime(found[0], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
        minutes = round((seen - began) / timedelta(minutes=1))
        return f"{BEGAN + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S} UTC"

    return _TOOK.sub("in 9 s", _MOMENT.sub(moment, _ID.sub(identifier, text)))


def drawn(text: str, title: str) -> str:
    """Return an SVG of a terminal that shows `text`; it loads nothing from another host."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text.from_ansi(text))
    picture = console.export_svg(title=title, unique_id=re.sub(r"\W", "-", title))
    return _FONT.sub("", picture) + "\n"
