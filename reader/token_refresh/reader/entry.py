"""A value with its lifetime.

      read ........ refresh_at ........ wait_at ........ expires_at ........
zone        fresh               soft            overdue             expired
gives       the cached value    the cached one  a new one, or else  a new one,
                                at once; one    the cached one      or an error
                                caller reads
"""

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

# A clock this far behind its last reading was set back. A smaller step is a thread that waited for its turn.
SET_BACK_SECONDS: Final = 60.0


class Entry(NamedTuple, Generic[T]):
    """A value with the Unix times, in seconds, at which its zones begin."""

    value: T
    refresh_at: float
    wait_at: float
    expires_at: float


Read = Callable[[Entry[T] | None, Callable[[], bool]], Entry[T]]
