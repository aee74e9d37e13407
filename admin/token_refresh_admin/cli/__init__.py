"""The command `token-refresh`, for the operator of a token secret.

It is an extra of the package: neither the function nor a consumer needs it. What AWS refuses, and a wrong setting, is a
`TokenRefreshError` wherever it is met. It ends the command (`failures.py`), and docstrings name other errors alone.
"""

import sys
from collections.abc import Sequence

from token_refresh.advice import Command

EX_UNAVAILABLE = 69
"""The exit status of sysexits.h for a missing support program; `status` uses 0 to 3."""
_EX_INTERRUPTED = 130  # as `failures` has it, which may not have loaded


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, or say which extra is missing."""
    try:
        _run(arguments)
    except KeyboardInterrupt:  # While it loads, or again while it ends: a command says what it has to say itself.
        raise SystemExit(_EX_INTERRUPTED) from None


def _run(arguments: Sequence[str] | None) -> None:
    try:
        from token_refresh_admin.cli.app import run  # noqa: PLC0415 - so that a missing extra is named, without a traceback
    except ModuleNotFoundError as missing:
        if (missing.name or "token_refresh").startswith("token_refresh"):
            raise  # A defect of this package, and no missing extra.
        sys.stderr.write(
            f"token-refresh needs the extra 'cli' ({missing.name} is not installed). Install what is in it: "
            f"{Command.of('{} -m pip install rich typer', sys.executable)}\n"
        )
        raise SystemExit(EX_UNAVAILABLE) from None
    run(arguments)
