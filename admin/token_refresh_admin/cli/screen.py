"""What the commands print with: consoles, times, and the bar that shows how much of a lifetime is left."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from io import TextIOWrapper
from itertools import groupby
from typing import Any, Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from token_refresh.advice import Advice, Command, in_words
from token_refresh.errors import TokenRefreshError
from token_refresh_admin.changes.publish import StoredGrant
from token_refresh_admin.cli.context import Context
from token_refresh_worker.run.failures import span, utc
from token_refresh_worker.run.outcome import iso_or_none
from token_refresh_worker.run.settings import Settings

_BAR_CELLS: Final = 30
_CELLS: Final = {False: ("┃", "█", "░"), True: ("|", "#", "-")}
"""The mark, what is left and what has passed, by whether the terminal is ASCII."""


def output() -> Console:
    """Return standard output; no colour if it is not a terminal, or NO_COLOR is set."""
    # Made for each use: the stream and the width of the terminal may change.
    return Console(highlight=False, markup=False)


class Errors(Console):
    """Standard error, which a command does without if nobody reads it."""

    def on_broken_pipe(self) -> None:
        """Print nothing from here on.

        Rich would end the program, perhaps between a redemption and the storing of its tokens.
        """
        self.quiet = True
        discard(sys.stderr)


def errors() -> Errors:
    """Return standard error, for progress, questions and errors."""
    return Errors(stderr=True, highlight=False, markup=False)


def discard(stream: TextIO) -> None:
    """Discard what a stream can't write; Python would try again at exit, and exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def keep_streams_from_failing() -> None:
    """Open closed standard streams on nothing, and print `?` for what the terminal's encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # Lowest number first, so that no other file takes its place.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as the program
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def printable(value: str) -> str:
    """Replace what could steer a terminal: labels, IDs and error codes come from outside."""
    # Category C: control characters, and marks that reverse the direction of text.
    return "".join("�" if unicodedata.category(c)[0] == "C" and c != "\n" else c for c in value)


def one_line(value: str) -> str:
    """Replace line breaks in a stored value, too: each would make a row that looks like one of ours."""
    return " ".join(printable(value).splitlines())


def text(value: str, style: str = "") -> Text:
    """Return printable text; every text that is printed is made here or in `assemble`."""
    return Text(printable(value), style)


def assemble(*parts: str | tuple[str, str]) -> Text:
    """Return printable text in several styles."""
    pieces = [text(part) if isinstance(part, str) else text(*part) for part in parts]
    return Text.assemble(*pieces)


_PRINTED_BY: Final = ContextVar[Context | None]("_PRINTED_BY", default=None)


def repeat_options_of(context: Context) -> None:
    """Let every command that is printed from here on repeat the options that this one was given."""
    _PRINTED_BY.set(context)


def _completed(advice: Advice) -> Advice:
    context = _PRINTED_BY.get()
    return advice if context is None else context.completed(advice)


def in_json(advice: Advice) -> str:
    """Return advice as text, for machines."""
    return in_words(_completed(advice))


def message(
    *parts: str | Command, head: str | tuple[str, str] = "", style: str = "", indent: int = 0
) -> list[RenderableType]:
    """Lay out a message: prose is wrapped, and each command gets a line that can be copied as a whole."""
    laid: list[RenderableType] = []
    for is_command, group in groupby(("", *_completed(parts)), lambda part: isinstance(part, Command)):
        words = "".join(map(str, group))
        if is_command:
            laid.append(Text(" " * (indent + 2) + words, no_wrap=True, overflow="ignore"))
        elif not laid:
            laid.append(_indented(assemble(head, (words.rstrip(), style)), indent))
        elif words.strip(" .;,"):
            laid.append(_indented(text(words.lstrip(" .;,").rstrip()), indent))
    return laid


def _indented(prose: Text, indent: int) -> RenderableType:
    return Padding(prose, (0, 0, 0, indent)) if indent else prose


def show(console: Console, *parts: RenderableType) -> None:
    """Print parts one below the other; a command that is longer than a line is left to the terminal to wrap."""
    console.print(Group(*parts), crop=False)


def say(*parts: str | Command, style: str = "") -> None:
    """Print a message on standard output."""
    show(output(), *message(*parts, style=style))


def note(*parts: str | Command, head: str | tuple[str, str] = "", style: str = "") -> None:
    """Print a message on standard error."""
    show(errors(), *message(*parts, head=head, style=style))


def print_json(fields: Mapping[str, Any], *, on_one_line: bool = False) -> None:
    """Print one JSON object, for machines; its times are in UTC."""
    sys.stdout.write(json.dumps(fields, indent=None if on_one_line else 2, default=iso_or_none) + "\n")


def fields_table(rows: Iterable[tuple[str, str | Text | None]]) -> Table:
    """Lay out names and values in two columns; a row without a value is left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value is not None:
            table.add_row(text(name), text(one_line(value)) if isinstance(value, str) else value)
    return table


def say_done(done: str, *rows: tuple[str, str | None], then: Advice = ()) -> None:
    """Say that a command has succeeded, what is stored now, and what to do next."""
    say(done, style="bold green")
    if rows:
        output().print(fields_table(rows))
    if then:
        say(*then)


def ago(moment: datetime, now: datetime) -> str:
    """Write how long ago something happened."""
    # Secrets Manager tells the time in whole seconds, so what has just happened can lie a moment ahead.
    return relative(min(timedelta(0), moment - now))


def when_from(moment: datetime, now: datetime) -> str:
    """Write a moment, and how far it is from now."""
    return f"{utc(moment)} ({relative(moment - now)})"


def relative(distance: timedelta) -> str:
    """Write how far away something is: `in 7 h 12 min`, `3 d 2 h ago`."""
    return f"in {span(distance)}" if distance > timedelta(0) else f"{span(distance)} ago"


def bar(left: float, due: float, style: str) -> Text:
    """Draw the share that is left of a lifetime, 0 to 1, and the one that is left when the refresh is due."""
    due_cell, full_cell, empty_cell = _CELLS[output().options.ascii_only]
    full = round(max(0.0, min(1.0, left)) * _BAR_CELLS)
    mark = min(_BAR_CELLS - 1, round(max(0.0, due) * _BAR_CELLS))
    drawn = Text()
    for cell in range(_BAR_CELLS):
        drawn.append(
            due_cell if cell == mark else full_cell if cell < full else empty_cell, style if cell < full else "dim"
        )
    return Text.assemble(drawn, f"  ({due_cell} due)")


def say_published(settings: Settings, stored: StoredGrant) -> None:
    """Publish a token set that a command has stored, and say so; a failure, too, since the tokens are stored."""
    published = settings.published_secret_id
    try:
        replaced = stored.copy.replace(stored.document, stored.version_id)
    except TokenRefreshError as failure:
        old = f"The next run publishes: secret {published} still has the older access token. "
        note(old, *failure.parts)
        return
    if replaced is not None:
        done = f"Published: secret {published} has the new access token."
        say(done if replaced else f"Secret {published} changed meanwhile: the next run publishes.")
