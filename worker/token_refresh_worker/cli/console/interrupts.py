"""What Ctrl-C does while something is under way that must not be left half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from token_refresh_worker.cli.console.screen import errors


@contextmanager
def finishing(work: str) -> Iterator[None]:
    """Let the work end at the first Ctrl-C, and say so; the second one interrupts it."""
    previous = signal.getsignal(signal.SIGINT)
    # Only Python's own handler raises; a signal that the caller ignores stays ignored.
    if previous is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGINT, previous)
        with suppress(OSError):  # Such as a full disk: raised here, it would interrupt the work.
            errors().print(f"\n{work} Press Ctrl-C again to interrupt it all the same.")

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
