"""The command `token-refresh`, for the operator of a token secret.

What AWS refuses, a wrong setting and a wrong option is an error wherever it is met, and ends the command
(`failures.py`). Docstrings name only the errors that somebody catches before.
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    try:
        from token_refresh_admin.cli.app import run  # noqa: PLC0415 - so that Ctrl-C ends it also while it loads

        run(arguments)
    except KeyboardInterrupt:  # While it loads, or again while it ends: a command says what it has to say itself.
        raise SystemExit(130) from None  # As `failures` has it, which may not have loaded.
