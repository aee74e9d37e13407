"""Questions to the operator; the terminal never echoes a secret."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from token_refresh.secret_value import SecretValue
from token_refresh_worker.cli.console.failures import EX_INTERRUPTED, Cancelled, CommandFailed
from token_refresh_worker.cli.console.screen import printable

_LONGEST_LINE: Final = 65_536  # As many bytes as a secret may have.
_TYPE_IT: Final = "type it in a terminal, or pipe one line"


def ask_secret(name: str) -> SecretValue:
    """Ask for a secret: hidden in a terminal, otherwise one line of standard input.

    Raises:
        CommandFailed: Standard input has no more lines.
    """
    if sys.stdin.isatty():  # A pipe, such as from a password manager, has no echo to switch off.
        with _answered(_TYPE_IT):
            return SecretValue(typer.prompt(f"{name} (hidden)", hide_input=True, err=True))
    line = sys.stdin.readline(_LONGEST_LINE).strip()
    if not line:
        raise CommandFailed(f"{name}: standard input is empty; {_TYPE_IT}")
    return SecretValue(line)


def ask(name: str) -> str:
    """Ask for something that is no secret.

    Raises:
        CommandFailed: Standard input has no more lines.
        Cancelled: The operator pressed Ctrl-C.
    """
    with _answered(_TYPE_IT):
        return str(typer.prompt(printable(name), err=True))


def confirm(question: str) -> None:
    """Ask a question, and end the command unless the operator says yes.

    Raises:
        CommandFailed: Standard input has no more lines.
        Cancelled: The operator said no, or pressed Ctrl-C.
    """
    with _answered("run the command in a terminal, pipe an answer, or pass --yes"):
        agreed = typer.confirm(printable(question), err=True)
    if not agreed:
        raise Cancelled(1)


@contextmanager
def _answered(remedy: str) -> Iterator[None]:
    """Tell Ctrl-C from the end of standard input: Typer raises the same for both."""
    try:
        yield
    except typer.Abort as aborted:
        sys.stderr.write("\n")  # The cursor is still behind the question.
        if isinstance(aborted.__context__, KeyboardInterrupt):
            raise Cancelled(EX_INTERRUPTED) from None
        raise CommandFailed(f"the question has no answer, since standard input is empty: {remedy}") from None
