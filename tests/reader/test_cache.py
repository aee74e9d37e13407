"""The cache core, without a store: what callers get while a value is fresh, soft, overdue and expired."""

import asyncio

import pytest

from reader.source import Source, down
from testbed.reader_surroundings import Background, Clock
from token_refresh.errors import SecretStoreUnavailable
from token_refresh.reader.cache import Cache


def test_fresh_value_costs_one_read(cache: Cache[str], source: Source, clock: Clock) -> None:
    """While a value is fresh, it is read once, however many callers."""
    assert "first" == cache.get() == cache.get()
    clock.advance(99)
    assert "first" == cache.get()
    assert 1 == source.reads


def test_soft_value_is_served_while_one_read_runs_in_background(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A soft value is served at once, one read starts in the background, and then the new value is served."""
    cache.get()
    source.value = "second"
    clock.advance(100)
    assert ["first", "first"] == [cache.get(), cache.get()]
    assert (1, 1) == (source.reads, background.run())
    assert "second" == cache.get()
    assert 2 == source.reads


def test_soft_value_is_read_inline_where_threads_freeze(inline: Cache[str], source: Source, clock: Clock) -> None:
    """Without a background, the first caller of a soft value reads the new one."""
    inline.get()
    source.value = "second"
    clock.advance(100)
    assert "second" == inline.get()


def test_others_get_the_cached_value_during_an_inline_read(inline: Cache[str], source: Source, clock: Clock) -> None:
    """While one caller reads inline, everyone else is served the cached value at once."""
    inline.get()
    clock.advance(100)
    served: list[str] = []
    source.value = "second"
    source.before = lambda: served.append(inline.get())
    assert "second" == inline.get()
    assert ["first"] == served


def test_long_soft_read_is_not_repeated(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A background read is the only one until it is given up; after a pause another one begins."""
    cache.get()
    clock.advance(100)
    cache.get()
    clock.advance(29)
    cache.get()
    assert 1 == len(background.waiting)
    for count in (1, 2):
        clock.advance(1)
        cache.get()
        assert count == len(background.waiting)
    source.value = "second"
    background.run()
    assert "second" == cache.get()


def test_overdue_value_waits_for_a_new_one(cache: Cache[str], source: Source, clock: Clock) -> None:
    """An overdue value isn't served if a newer one can be read."""
    cache.get()
    source.value = "second"
    clock.advance(150)
    assert "second" == cache.get()


def test_overdue_value_is_served_where_the_read_fails(
    cache: Cache[str], source: Source, clock: Clock, background: Background
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


def test_overdue_value_joins_the_read_that_is_under_way(
    cache: Cache[str], source: Source, clock: Clock, background: Background
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


def test_expired_value_is_never_served(cache: Cache[str], source: Source, clock: Clock) -> None:
    """From its expiry on a value is not served: callers get a new one, or the error."""
    cache.get()
    clock.advance(200)
    source.error = down()
    with pytest.raises(SecretStoreUnavailable):
        cache.get()
    source.error = None
    source.value = "second"
    clock.advance(5)
    assert "second" == cache.get()
