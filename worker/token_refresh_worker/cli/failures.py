"""How an error or Ctrl-C ends a command: it says what is wrong and what to do, never with a traceback or a secret."""

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import typer

from token_refresh.advice import Command
from token_refresh.errors import TokenRefreshError, raised_at
from token_refresh_worker.changes.change import ChangeFailed
from token_refresh_worker.cli.screen import discard, errors, message, show, text

EX_INTERRUPTED: Final = 130
"""As a shell reports a program that Ctrl-C ended: 128 and the number of SIGINT."""

ONE_PRESS_SECONDS: Final = 1.0
"""Within this time a second SIGINT is the same Ctrl-C: npm and Docker pass on what the terminal has sent already."""

_now = time.monotonic
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


class CommandFailed(ChangeFailed):
    """The command can't go on; the message says why, and what to do."""


class Cancelled(Exception):  # noqa: N818 - what the operator wanted is not an error
    """The operator answered a question with no or with Ctrl-C. Questions come before anything is sent or stored."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


@contextmanager
def reported(*, debug: bool, failed: int, look: Callable[[], Command] | None = None) -> Iterator[None]:
    """Report an error on standard error and exit with `failed`.

    Args:
        debug: Whether to say where it was raised, too.
        failed: The exit status.
        look: Gives the command that shows what is stored, for a command that Ctrl-C ends.
    """
    try:
        yield
    except (typer.Exit, typer.BadParameter, BrokenPipeError):
        raise  # Typer handles these.
    except Cancelled as ended:
        errors().print("Cancelled: nothing was stored.")
        raise typer.Exit(ended.exit_code) from None
    except KeyboardInterrupt:
        # The terminal shows ^C at the cursor: begin a new line.
        stays = "Interrupted. What was stored before stays"
        show(errors(), "", *(message(f"{stays}: ", look()) if look else message(f"{stays}.")))
        raise typer.Exit(EX_INTERRUPTED) from None
    except TokenRefreshError as failure:
        _report("error" if isinstance(failure, ChangeFailed) else type(failure).__name__, *failure.parts)
        if debug:
            _report_place(failure)
    except Exception as defect:  # noqa: BLE001 - whatever it is, its text may hold a secret
        if isinstance(defect, OSError) and defect.errno in _FULL:
            discard(sys.stdout)
            _report("error", f"the output can't be written ({os.strerror(defect.errno)}); what was stored stays")
        else:
            _report(
                "InternalError",
                f"{raised_at(defect)}: a defect of this program; run the command again with "
                "--debug, and please report what that prints",
            )
        if debug:
            _report_place(defect)
    raise typer.Exit(failed)


def _report(name: str, *parts: str | Command) -> None:
    show(errors(), *message(": ", *parts, head=(name, "bold red")))


def _report_place(failure: BaseException) -> None:
    """Print the calls that led there, without the messages of other errors: those quote data."""
    link: BaseException | None = failure
    while link is not None:
        errors().print(text(f"{type(link).__name__} was raised here:", "dim"))
        # File, line and function; no source line and no local variable, since either may hold a secret.
        for frame in traceback.extract_tb(link.__traceback__):
            errors().print(text(f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}", "dim"))
        link = link.__cause__ or link.__context__


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
