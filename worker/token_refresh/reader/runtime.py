"""What a reader needs from its surroundings: time, threads and chance. Tests pass their own."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_BACKOFF_SECONDS = 30.0


def start_thread(work: Callable[[], None]) -> None:
    """Do `work` in a thread that never keeps the process alive."""
    threading.Thread(target=work, name="token-reader", daemon=True).start()


def chance() -> float:
    """Return a number from 0 to 1 that differs between copies of a process.

    Forks, and functions restored from one SnapStart snapshot, share the state of `random`. The kernel's they don't.
    """
    return int.from_bytes(os.urandom(4), "big") / 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The surroundings of a reader.

    Attributes:
        clock: Unix seconds by the wall clock. The monotonic clock of a frozen Lambda function stops; an expiry doesn't.
        spawn: Starts work in the background; may raise `RuntimeError` if that is impossible.
        chance: A number from 0 to 1, for jitter.
    """

    clock: Callable[[], float] = time.time
    spawn: Callable[[Callable[[], None]], None] = start_thread
    chance: Callable[[], float] = chance

    def backoff_seconds(self, failures: int, *, longest_seconds: float = LONGEST_BACKOFF_SECONDS) -> float:
        """Return the pause after this many failures in a row: 1, 2, 4 ... seconds, less up to half by chance."""
        # The exponent is limited too: 2.0**1024 overflows, and a long outage counts that far.
        whole = min(longest_seconds, 2.0 ** min(failures - 1, 10))
        return whole * (1 - self.chance() / 2)
