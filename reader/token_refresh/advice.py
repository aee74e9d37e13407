"""What an operator should do: words, and commands that can be copied whatever their words are."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A command to copy into a shell: `str` quotes each word, wherever it comes from."""

    words: tuple[str, ...]
    is_complete: bool = False
    """Whether it has all of its options; the command line adds to others what it was called with, as `--profile`."""

    @staticmethod
    def of(line: str, *values: str, is_complete: bool = False) -> "Command":
        """Build a command; each `{}` in the line stands for one value, which stays one word whatever is in it."""
        given = iter(values)
        words = tuple(next(given) if word == "{}" else word for word in line.split())
        return Command(words, is_complete=is_complete)

    def __str__(self) -> str:
        """Return one line that a shell reads as exactly these words."""
        # No quoting that all shells know keeps a line break on the line, and no name has one.
        return shlex.join("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in w) for w in self.words)


Advice: TypeAlias = tuple[str | Command, ...]
"""What to do: words of ours, and commands."""


def in_words(advice: Iterable[str | Command]) -> str:
    """Return advice as text, with each command in backticks."""
    return "".join(part if isinstance(part, str) else f"`{part}`" for part in advice)
