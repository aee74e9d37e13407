"""How an error or Ctrl-C ends a command: it says what is wrong and what to do, never with a traceback or a secret."""

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import typer

from token_refresh.advice import Command
from token_refresh.errors import TokenRefreshError, and_causes, raised_at
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.cli.screen import discard, errors, in_json, message, note, print_json, show

EX_LATER: Final = 1
"""A command that acts failed, and a later run or another try may succeed; or a question was answered with no."""
EX_NEEDS_PERSON: Final = 2
"""It failed, and somebody has to act: as the error says."""
EX_INTERRUPTED: Final = 130
"""As a shell reports a program that Ctrl-C ended: 128 and the number of SIGINT."""

ONE_PRESS_SECONDS: Final = 1.0
"""Within this time a second SIGINT is the same Ctrl-C: npm and Docker pass on what the terminal has sent already."""

_now = time.monotonic
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


class CommandFailed(ChangeFailed):
    """The command can't go on; the message says why, and what to do."""

    name = ""
    """The name of the error that it reports, if that is another one's."""


def exit_code_of(failure: TokenRefreshError) -> int:
    """Return the exit status of a command that acts and ends with this error."""
    return EX_NEEDS_PERSON if failure.needs_person else EX_LATER


def error_fields(failure: TokenRefreshError) -> dict[str, Any]:
    """Return an error for machines."""
    its_class = ChangeFailed if isinstance(failure, ChangeFailed) else type(failure)
    name = getattr(failure, "name", "") or its_class.__name__
    return _fields(name, in_json(failure.parts), needs_person=failure.needs_person, retry_at=failure.retry_at)


def usage_fields() -> dict[str, Any]:
    """Return a wrong option for machines."""
    return _fields("UsageError", "an option or argument is wrong; standard error says which", needs_person=True)


def _fields(
    error_type: str, error: str, *, needs_person: bool = False, retry_at: datetime | None = None
) -> dict[str, Any]:
    return {"error_type": error_type, "error": error, "needs_person": needs_person, "retry_at": retry_at}


class Cancelled(Exception):  # noqa: N818 - what the operator wanted is not an error
    """The operator answered a question with no or with Ctrl-C. Questions come before anything is sent or stored."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


@contextmanager
def reported(
    *, debug: bool, failed: int | None = None, as_json: bool = False, look: Callable[[], Command] | None = None
) -> Iterator[None]:
    """Report an error on standard error, with `--json` on standard output, too, and exit.

    `failed` is the exit status; None: it says whether a person is needed. `look` gives the command that shows what is
    stored, for a command that Ctrl-C ends.
    """
    said: dict[str, Any] = {}
    try:
        yield
    except (typer.BadParameter, BrokenPipeError):
        raise  # Typer handles these.
    except Cancelled as ended:
        errors().print("Cancelled: nothing was stored.")
        failed, said = ended.exit_code, _fields("Cancelled", "nothing was stored")
    except KeyboardInterrupt:
        # The terminal shows ^C at the cursor: begin a new line.
        stays = "Interrupted. What was stored before stays"
        show(errors(), "", *(message(f"{stays}: ", look()) if look else message(f"{stays}.")))
        failed, said = EX_INTERRUPTED, _fields("Interrupted", f"{stays}.")
    except TokenRefreshError as failure:
        _report("error" if isinstance(failure, ChangeFailed) else type(failure).__name__, *failure.parts)
        failed, said = exit_code_of(failure) if failed is None else failed, error_fields(failure)
        if debug:
            _report_place(failure)
    except Exception as defect:  # noqa: BLE001 - whatever it is, its text may hold a secret
        said = _report_defect(defect, debug=debug)
        failed = failed or (EX_NEEDS_PERSON if said["needs_person"] else EX_LATER)
    else:
        return
    if as_json:
        print_json(said)
    raise typer.Exit(failed)


def _report_defect(defect: Exception, *, debug: bool) -> dict[str, Any]:
    if isinstance(defect, OSError) and defect.errno in _FULL:
        discard(sys.stdout)
        _report("error", f"the output can't be written ({os.strerror(defect.errno)}); what was stored stays")
        said = _fields("OutputFailed", "the output can't be written")
    else:
        what = f"{raised_at(defect)}: a defect of this program; run the command again with --debug, and please "
        _report("InternalError", f"{what}report what that prints")
        said = _fields("InternalError", raised_at(defect), needs_person=True)
    if debug:
        _report_place(defect)
    return said


def _report(name: str, *parts: str | Command) -> None:
    note(": ", *parts, head=(name, "bold red"))


def _report_place(failure: BaseException) -> None:
    """Print the calls that led there, without the messages of other errors: those quote data."""
    for link in and_causes(failure):
        note(f"{type(link).__name__} was raised here:", style="dim")
        # File, line and function; no source line and no local variable, since either may hold a secret.
        for frame in traceback.extract_tb(link.__traceback__):
            note(f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}", style="dim")


@contextmanager
def finishing(work: str) -> Iterator[None]:
    """Let the work end first, and say so; another Ctrl-C interrupts it.

    SIGTERM and SIGHUP never do: systemd, and a terminal that closes, send more than one, and nobody has read a word.
    """
    pressed: list[float] = []

    def first(number: int, frame: FrameType | None) -> None:
        del frame
        again = ""
        if number == signal.SIGINT:
            pressed.append(_now())
            if pressed[-1] - pressed[0] >= ONE_PRESS_SECONDS:
                raise KeyboardInterrupt
            again = " Press Ctrl-C again to interrupt it all the same."
        # A full disk, or this interrupts a print and its stream takes no other: raised, it would interrupt the work.
        with suppress(Exception):
            errors().print(f"\n{work}{again}")

    handlers = {number: signal.getsignal(number) for number in _ENDING}
    # What the caller ignores, as `nohup` does, stays ignored.
    previous = {
        n: handler for n, handler in handlers.items() if handler in {signal.default_int_handler, signal.SIG_DFL}
    }
    try:
        for number in previous:
            signal.signal(number, first)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
