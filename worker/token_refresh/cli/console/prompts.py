"""Questions to the operator; a secret that is typed is never shown."""

import sys
from typing import Final

import typer

from token_refresh.cli.console.failures import CommandFailed
from token_refresh.cli.console.screen import printable
from token_refresh.secret_value import SecretValue

_LONGEST_LINE: Final = 65_536


def ask_secret(name: str) -> SecretValue:
    """Ask for a secret: hidden in a terminal, otherwise one line of standard input.

    Raises:
        CommandFailed: Standard input has no more lines.
    """
    if sys.stdin.isatty():
        return SecretValue(typer.prompt(f"{name} (hidden)", hide_input=True))
    line = sys.stdin.readline(_LONGEST_LINE).strip()
    if not line:
        raise CommandFailed(f"{name.lower()}: standard input is empty; type it in a terminal, or pipe one line")
    return SecretValue(line)


def confirm(question: str) -> None:
    """Ask a question, and end the command unless the operator says yes."""
    typer.confirm(printable(question), abort=True, err=True)
