"""The cache core, without a store: what callers get while a value is fresh, soft, overdue, expired, or a read fails."""

import asyncio
import itertools
import logging
import math

import pytest

from reader.conftest import Source, down
from testbed.reader_surroundings import Background, WallClock
from token_refresh.errors import SecretStoreUnavailable
from token_refresh.reader.cache import Cache
from token_refresh.reader.fetch import CacheEntry


def test_soft_value_is_served_during_one_read(
    cache: Cache[str], source: Source, clock: WallClock, background: Background
) -> None:
    """A soft value is served at once during one read in the background, until that is given up after 30 s."""
    cache.get()
    clock.advance(100)
    assert ["first", "first"] == [cache.get(), cache.get()]
    clock.advance(29)
    cache.get()
    assert 1 == len(background.waiting)
    for count in (1, 2):
        clock.advance(1)
        cache.get()
        assert count == len(background.waiting)
    source.value = "second"
    assert 1 == source.reads
    background.run()
    assert "second" == cache.get()


def test_others_get_the_cached_value_during_a_read(inline: Cache[str], source: Source, clock: WallClock) -> None:
    """While one caller reads inline, everyone else is served the cached value at once."""
    inline.get()
    clock.advance(100)
    served: list[str] = []
    source.value = "second"
    source.before = lambda: served.append(inline.get())
    assert "second" == inline.get()
    assert ["first"] == served


def test_overdue_value_where_the_read_fails(
    cache: Cache[str], source: Source, clock: WallClock, background: Background
) -> None:
    """A failed read never withholds a valid value, and nobody waits for the next reads."""
    cache.get()
    source.error = down()
    clock.advance(150)
    assert ["first", "first"] == [cache.get(), cache.get()]
    assert 2 == source.reads
    clock.advance(1)
    assert "first" == cache.get()
    assert (2, 1) == (source.reads, background.run())


def test_overdue_value_joins_a_read(
    cache: Cache[str], source: Source, clock: WallClock, background: Background
) -> None:
    """A caller for whom the value became overdue waits for the soft read, and doesn't begin another."""
    cache.get()
    clock.advance(149)
    cache.get()
    clock.advance(1)
    source.value = "second"

    async def main() -> str:
        joined = asyncio.ensure_future(cache.aget())
        await asyncio.sleep(0)
        background.run()
        return await joined

    assert "second" == asyncio.run(main())
    assert 2 == source.reads


def test_error_is_shared_for_a_moment(cache: Cache[str], source: Source, clock: WallClock) -> None:
    """With nothing to serve, an error is raised again without a read, for 1, 2, 4 ... 5 s, less some jitter."""
    source.error = down()
    pauses = []
    for _ in range(6):
        with pytest.raises(SecretStoreUnavailable):
            cache.get()
        before, reads = clock.now, source.reads
        while reads == source.reads:
            clock.advance(0.25)
            with pytest.raises(SecretStoreUnavailable):
                cache.get()
        pauses.append(clock.now - before)
    assert [0.75, 1.5, 3.0, 5.0, 5.0, 5.0] == pauses
    clock.advance(-3600)
    source.error = None
    assert "first" == cache.get()


def test_shared_errors_have_no_traceback_of_the_read(cache: Cache[str], source: Source) -> None:
    """Each caller raises its own copy of the error, without the read's frames and variables."""
    source.error = down()
    with pytest.raises(SecretStoreUnavailable) as first:
        cache.get()
    with pytest.raises(SecretStoreUnavailable) as second:
        cache.get()
    assert first.value is not second.value
    names = [frame.name for frame in first.traceback]
    assert "read" not in names
    assert (None, None) == (first.value.__cause__, first.value.__context__)


def test_backoff_grows_while_a_value_is_served(inline: Cache[str], source: Source, clock: WallClock) -> None:
    """While a good value is served, failed reads are repeated after 1, 2, 4 ... 30 s, less some jitter."""
    inline.get()
    lasting = CacheEntry(value="first", read_at=clock(), refresh_at=clock(), wait_at=math.inf, expires_at=math.inf)
    inline._entry = lasting  # noqa: SLF001 - no public name
    inline.after_restore()
    source.error = down()
    moments = []
    while source.reads < 9:
        reads = source.reads
        assert "first" == inline.get()
        if source.reads > reads:
            moments.append(clock.now)
        clock.advance(0.25)
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert [0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 30.0] == pauses


def test_failure_is_forgotten_at_expiry(inline: Cache[str], source: Source, clock: WallClock) -> None:
    """A backoff that began while a value was served ends with that value: its expiry is worth one more read."""
    inline.get()
    source.error = down()
    clock.advance(199.5)
    inline.get()
    clock.advance(0.5)
    source.error, source.value = None, "second"
    assert "second" == inline.get()


def test_served_despite_failure_is_logged(
    inline: Cache[str], source: Source, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed read that nobody sees, since a good value is served, is a warning; one that is raised is no log."""
    inline.get()
    source.error = down()
    with caplog.at_level(logging.INFO):
        clock.advance(100)
        inline.get()
        assert ["serving the cached value: SecretStoreUnavailable: the store is down"] == caplog.messages
        caplog.clear()
        clock.advance(100)
        with pytest.raises(SecretStoreUnavailable):
            inline.get()
    assert [] == caplog.messages
