"""How often a rejected value is looked up again: at once, then after pauses that grow."""

import math
from typing import Final

QUIET_SECONDS: Final = 3600.0
"""After this long without a rejection the pauses begin again with none."""


class Rejections:
    """The rejections of one cached value.

    A caller who rejects everything, or an attacker, causes few reads: the pauses double from one second to
    `longest_pause_seconds`.
    """

    def __init__(self, *, longest_pause_seconds: float) -> None:
        self._longest_pause_seconds = longest_pause_seconds
        self._count = 0
        self._last_at = -math.inf
        self._next_at = -math.inf

    def may_read(self, now: float) -> bool:
        """Note a rejection, and say whether the value may be looked up again."""
        if now - self._last_at >= QUIET_SECONDS:
            self.clear()
        self._last_at = now
        # A time further ahead than any pause was set before the clock was set back.
        return not now < self._next_at <= now + self._longest_pause_seconds

    def confirm(self, now: float) -> None:
        """Note that a rejected value was looked up and is still the current one."""
        self._count += 1
        self._pause(now)

    def looked_up(self, now: float) -> None:
        """Note that the value was read for another reason and is still the current one."""
        if self._count:
            self._pause(now)

    def clear(self) -> None:
        """Note that another value is current."""
        self._count = 0
        self._next_at = -math.inf

    def wait_until(self, when: float) -> None:
        """Look nothing up before this time: the store has just failed."""
        self._next_at = when

    def restored(self) -> None:
        """Allow a look-up now: this process was restored from a snapshot."""
        self._next_at = -math.inf

    def _pause(self, now: float) -> None:
        # The exponent is limited too: 2.0**1024 overflows.
        self._next_at = now + min(self._longest_pause_seconds, 2.0 ** min(self._count - 1, 30))
