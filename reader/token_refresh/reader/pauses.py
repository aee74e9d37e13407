"""When a value may be read again after a read that failed, or that found a rejected value unchanged."""

import math
from typing import Final

from token_refresh.errors import TokenRefreshError
from token_refresh.reader.runtime import Runtime

LONGEST_BACKOFF_SECONDS: Final = 30.0
# For tokens: one that comes after an expiry is found within this time.
LONGEST_EMPTY_SECONDS: Final = 5.0

# How long it takes until one more short pause is possible.
RECOVERY_SECONDS: Final = 4 * 3600.0

# 2**10 s, less half of it by chance, is longer than the longest pause.
_MOST_DOUBLINGS: Final = 10


class RetryPauses:
    """The pauses of one value: 1, 2, 4 ... seconds, less up to half by chance, up to the longest.

    Failures and rejections share one count, and a success only keeps it from growing. So neither an attacker, in bursts
    or without end, nor a store that fails now and then gets more than a few short pauses a day.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        longest_seconds: float = LONGEST_BACKOFF_SECONDS,
        longest_empty_seconds: float = LONGEST_EMPTY_SECONDS,
        most_restores: float = math.inf,
    ) -> None:
        """Allow a read at once.

        While there is no value to serve, `longest_empty_seconds` limits the pauses. Another value makes them short
        `most_restores` times in a row, and once more after four hours.
        """
        self.error: TokenRefreshError | None = None
        """Why the last read failed; None if it didn't."""
        self._runtime = runtime
        self._longest_seconds = longest_seconds
        self._longest_empty_seconds = longest_empty_seconds
        self._most_restores = most_restores
        self._restores = 0.0
        self._restored_at = -math.inf
        self.reset()

    def may_read(self, now: float) -> bool:
        """Say whether the pause is over."""
        # A time further ahead than any pause was set before the clock was set back.
        return not now < self._next_at <= now + self._longest_seconds

    def failed(self, error: TokenRefreshError, now: float, *, good_until: float | None) -> float:
        """Note a failed read, and return when to read again; `good_until` is when the value to serve expires."""
        self.error = error
        longest_seconds = self._longest_empty_seconds if good_until is None else self._longest_seconds
        self._next_at = min(now + self._seconds(longest_seconds, now, count=True), good_until or math.inf)
        return self._next_at

    def unchanged(self, now: float, *, rejected: bool) -> None:
        """Note that the cached value was read again; `rejected` if that was the reason."""
        self.error = None
        if rejected or self._count:
            # A read that was due anyway delays the next look-up too: the TTL and an attacker share the reads.
            self._next_at = now + self._seconds(self._longest_seconds, now, count=rejected)

    def changed(self, now: float, *, rejected: bool) -> None:
        """Note that another value is current: begin again with short pauses, unless that has happened too often."""
        recovered = max(now - self._restored_at, 0) / RECOVERY_SECONDS
        self._restores, self._restored_at = max(self._restores - recovered, 0.0) + 1, now
        if self._restores <= self._most_restores:
            self.reset()
        else:
            # A store that gives old and new versions in turn must not be read for each forged request.
            self._restores = self._most_restores
            self.unchanged(now, rejected=rejected)

    def reset(self) -> None:
        """Allow a read at once, and begin again with short pauses."""
        self.error = None
        self._count = 0.0
        self._counted_at = self._next_at = -math.inf

    def _seconds(self, longest_seconds: float, now: float, *, count: bool) -> float:
        recovered = max(now - self._counted_at, 0) / RECOVERY_SECONDS
        self._count, self._counted_at = max(self._count - recovered, 0.0), now
        seconds: float = 2.0**self._count * (1 - self._runtime.chance() / 2)
        if count:
            self._count = min(self._count + 1, _MOST_DOUBLINGS)
        return min(longest_seconds, seconds)
