"""Failed reads in a row, and when the next one may be made."""

import math
from typing import Final

from token_refresh.errors import TokenRefreshError
from token_refresh.reader.runtime import Runtime

LONGEST_SHARED_ERROR_SECONDS: Final = 5.0
"""While there is no value to serve, callers share an error for no longer than this; then one reads again."""


class Failures:
    """The failures since the last successful read."""

    def __init__(self, runtime: Runtime) -> None:
        self.count = 0
        self._runtime = runtime
        self._error: TokenRefreshError | None = None
        self._retry_at = -math.inf

    def add(self, error: TokenRefreshError, *, now: float, good_until: float | None) -> float:
        """Note a failure, and return when to read again.

        Args:
            error: The failure.
            now: The Unix time.
            good_until: When the cached value expires; None if there is none to serve.
        """
        self.count += 1
        self._error = error
        if good_until is None:
            pause = self._runtime.backoff_seconds(self.count, longest_seconds=LONGEST_SHARED_ERROR_SECONDS)
            self._retry_at = now + pause
        else:
            self._retry_at = min(now + self._runtime.backoff_seconds(self.count), good_until)
        return self._retry_at

    def shared(self, now: float) -> TokenRefreshError | None:
        """Give the last error while callers share it."""
        # A time further ahead was set before the clock was set back.
        return self._error if now < self._retry_at <= now + LONGEST_SHARED_ERROR_SECONDS else None

    def clear(self) -> None:
        """Note a successful read."""
        self.count, self._error, self._retry_at = 0, None, -math.inf
