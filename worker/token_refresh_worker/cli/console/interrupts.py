"""What Ctrl-C, SIGTERM and SIGHUP do while something is under way that must not be left half done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from token_refresh_worker.cli.console.screen import errors

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def finishing(work: str) -> Iterator[None]:
    """Let the work end first, and say so; a second Ctrl-C interrupts it.

    SIGTERM and SIGHUP never do: systemd, and a terminal that closes, send more than one, and nobody has read a word.
    """

    def first(number: int, frame: FrameType | None) -> None:
        del frame
        again = ""
        if number == signal.SIGINT:
            signal.signal(number, previous[signal.SIGINT])
            again = " Press Ctrl-C again to interrupt it all the same."
        with suppress(OSError):  # Such as a full disk: raised here, it would interrupt the work.
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
