"""Values that were rejected: read anew, once, and not too often."""

import asyncio

from reader.source import Source, down
from reader.surroundings import Background, Clock
from token_refresh.reader.cache import Cache


def test_rejected_value_is_read_anew(inline: Cache[str], source: Source) -> None:
    """Rejecting the cached value reads the newest, and says that there is another."""
    inline.get()
    source.value = "second"
    assert inline.reject("first".__eq__)
    assert "second" == inline.get()
    assert [False, True] == source.rejecting


def test_value_that_was_replaced_is_not_read_for(inline: Cache[str], source: Source) -> None:
    """Rejecting a value that isn't the cached one costs no read."""
    inline.get()
    assert inline.reject("older".__eq__)
    assert 1 == source.reads


def test_nothing_cached_is_nothing_rejected(inline: Cache[str], source: Source) -> None:
    """With an empty cache the next `get` reads anyway: there is nothing to reject."""
    assert inline.reject("older".__eq__)
    assert 0 == source.reads


def test_same_value_back_is_rate_limited(inline: Cache[str], source: Source, clock: Clock) -> None:
    """A rejected value that comes back the same isn't read again before 1, 2, 4 ... s, and is still served."""
    inline.get()
    assert [False, False, False] == [inline.reject("first".__eq__) for _ in range(3)]
    assert 2 == source.reads
    clock.advance(0.75)
    assert not inline.reject("first".__eq__)
    assert 3 == source.reads
    clock.advance(0.75)
    assert not inline.reject("first".__eq__)
    assert (3, "first") == (source.reads, inline.get())
    source.value = "second"
    clock.advance(0.75)
    assert inline.reject("first".__eq__)
    assert not inline.reject("second".__eq__)
    assert 5 == source.reads


def test_rejection_while_the_store_is_down(inline: Cache[str], source: Source) -> None:
    """If the newest value can't be read, a rejection changes nothing, and isn't tried again at once."""
    inline.get()
    source.error = down()
    assert [False, False] == [inline.reject("first".__eq__) for _ in range(2)]
    assert (2, "first") == (source.reads, inline.get())


def test_rejection_joins_the_read_that_is_under_way(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A rejection during a soft read waits for that one; the read learns that its value was rejected."""
    cache.get()
    clock.advance(100)
    cache.get()

    async def main() -> bool:
        joined = asyncio.ensure_future(cache.areject("first".__eq__))
        await asyncio.sleep(0)
        background.run()
        return await joined

    assert not asyncio.run(main())
    assert [False, True] == source.rejecting
