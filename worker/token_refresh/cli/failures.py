"""How a failure is told: what is wrong and what to do, without a traceback and never with a secret."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.text import Text

from token_refresh.cli.screen import errors
from token_refresh.errors import TokenRefreshError


class CommandFailed(TokenRefreshError):  # noqa: N818 - named as the other failures are
    """The command can't go on; the message says why, and what to do."""


@contextmanager
def told(*, debug: bool, failed: int) -> Iterator[None]:
    """Tell a failure on standard error and exit with `failed`; with `debug`, say where it arose, too."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise  # Typer's own business.
    except TokenRefreshError as failure:
        _tell(type(failure).__name__, str(failure))
        if debug:
            _tell_where(failure)
    except Exception as defect:  # noqa: BLE001 - whatever it is, its text may hold a secret
        _tell(
            "InternalError",
            f"{type(defect).__name__} at {_place(defect)}: a defect of this program; run it again with --debug, and "
            "please report what that shows",
        )
        if debug:
            _tell_where(defect)
    raise typer.Exit(failed)


def _tell(name: str, message: str) -> None:
    errors().print(Text.assemble((name, "bold red"), ": ", message))


def _tell_where(failure: BaseException) -> None:
    """Show the calls that led there, without messages of other kinds: those quote what they met."""
    link: BaseException | None = failure
    while link is not None:
        errors().print(Text(f"{type(link).__name__} arose here:", style="dim"))
        for frame in traceback.extract_tb(link.__traceback__):
            name = Path(frame.filename).name
            errors().print(Text(f"  {name}:{frame.lineno} in {frame.name}", style="dim"))
        link = link.__cause__ or link.__context__


def _place(defect: BaseException) -> str:
    frame = traceback.extract_tb(defect.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()
