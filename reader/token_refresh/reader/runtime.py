"""What a reader needs from its surroundings: time, threads and chance. Tests pass their own."""

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple


def in_lambda() -> bool:
    """Whether this is Lambda, which freezes threads between invocations."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def start_thread(work: Callable[[], None]) -> None:
    """Do `work` in a thread that never keeps the process alive."""
    # A daemon: a service that ends must not wait for a read.
    threading.Thread(target=work, name="token-reader", daemon=True).start()


def chance() -> float:
    """Return a number from 0 to 1 that differs between copies of a process.

    Forks, and functions restored from one SnapStart snapshot, share the state of `random`. The kernel's they don't.
    """
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Runtime(NamedTuple):
    """The surroundings of a reader.

    Attributes:
        clock: Unix seconds by the wall clock. The monotonic clock of a frozen Lambda function stops; an expiry doesn't.
        spawn: Starts work in the background; may raise `RuntimeError` if that is impossible.
        chance: A number from 0 to 1, for jitter.
    """

    clock: Callable[[], float] = time.time
    spawn: Callable[[Callable[[], None]], None] = start_thread
    chance: Callable[[], float] = chance
