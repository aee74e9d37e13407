"""What the cache's tests read from."""

from collections.abc import Callable

from testbed.reader_surroundings import Clock
from token_refresh.errors import SecretStoreUnavailable
from token_refresh.reader.fetch import Entry


class Source:
    """Where a cache reads: gives `value` or raises `error`, and counts."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.value = "first"
        self.error: BaseException | None = None
        self.before: Callable[[], None] = lambda: None
        self.reads = 0
        self.rejecting: list[bool] = []

    def read(self, _previous: Entry[str] | None, rejecting: Callable[[], bool]) -> Entry[str]:
        self.reads += 1
        value, now = self.value, self.clock()
        self.before()
        self.rejecting.append(rejecting())
        if self.error is not None:
            raise self.error
        return Entry(value=value, read_at=now, refresh_at=now + 100, wait_at=now + 150, expires_at=now + 200)


def down() -> SecretStoreUnavailable:
    return SecretStoreUnavailable("the store is down")
