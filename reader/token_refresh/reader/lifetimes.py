"""How long a value is kept: checks of durations, and the cache of a secret without an expiry."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from token_refresh.errors import ConfigurationError
from token_refresh.reader.cache import Cache
from token_refresh.reader.fetch import CacheEntry
from token_refresh.reader.pauses import RetryPauses
from token_refresh.reader.runtime import Runtime, in_lambda

# A background read begins at this share of the allowed age, so that a busy service never waits for one.
SOFT_SHARE: Final = 0.8

# Once a permission or a network works again, the value is read within this time, however long the TTL is.
LONGEST_RETRY_SECONDS: Final = 300.0

# The first read, and two rotations in a row: each changes what is accepted, and so does the end of its overlap.
MOST_RESTORES: Final = 5

T = TypeVar("T")


def secret_cache(  # noqa: PLR0913 - the arguments of its readers, by name
    read: Callable[[], T],
    *,
    name: str,
    ttl: timedelta,
    max_stale: timedelta | None,
    background: bool | None,
    runtime: Runtime,
) -> Cache[T]:
    """Make a cache that reads its value again at the end of each TTL; `SecretReader` explains the arguments."""
    ttl_seconds = seconds_of("ttl", ttl)
    stale_seconds = math.inf if max_stale is None else seconds_of("max_stale", max_stale, least=ttl)
    ahead = not in_lambda() if background is None else background

    def read_entry(_previous: CacheEntry[T] | None, _rejecting: Callable[[], bool]) -> CacheEntry[T]:
        value, now = read(), runtime.clock()
        # Readers that began together part ways. Without a background a read ahead would only cost calls.
        soft_seconds = ttl_seconds * (SOFT_SHARE - 0.1 * runtime.chance()) if ahead else ttl_seconds
        return CacheEntry(
            value=value,
            read_at=now,
            refresh_at=now + soft_seconds,
            wait_at=now + ttl_seconds,
            expires_at=now + stale_seconds,
        )

    pause_seconds = min(ttl_seconds, LONGEST_RETRY_SECONDS)
    # As long without a value as with one: a missing permission must not cost more reads than a healthy secret does.
    pauses = RetryPauses(
        runtime, longest_seconds=pause_seconds, longest_empty_seconds=pause_seconds, most_restores=MOST_RESTORES
    )
    return Cache(read_entry, background=ahead, runtime=runtime, pauses=pauses, name=name)


def seconds_of(name: str, duration: timedelta, *, least: timedelta | None = None) -> float:
    """Return the seconds of an argument that is a duration; `name` is the argument's."""
    given: object = duration
    # A bare number would be taken for seconds by one reader of the code, and for minutes by the next.
    if not isinstance(given, timedelta):
        raise ConfigurationError(
            f"{name} must be a timedelta, such as timedelta(minutes=5); it is a {type(given).__name__}"
        )
    if given < (least if least is not None else timedelta(microseconds=1)):
        raise ConfigurationError(f"{name} must be {'a positive timedelta' if least is None else f'at least {least}'}")
    return given.total_seconds()
