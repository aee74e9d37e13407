"""Rejected values: read again, once, and not too often."""

import asyncio

from reader.source import Source, down
from testbed.reader_surroundings import Background, Clock
from token_refresh.reader.cache import Cache


def test_rejected_value_is_read_again(inline: Cache[str], source: Source) -> None:
    """Rejecting the cached value reads the newest one, and returns that there is another."""
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
    """A rejected value that is still current isn't read again before 1, 2, 4 ... s, and is still served."""
    inline.get()
    assert [False, False, False] == [inline.reject("first".__eq__) for _ in range(3)]
    assert 2 == source.reads
    clock.advance(1)
    assert not inline.reject("first".__eq__)
    assert 3 == source.reads
    clock.advance(1)
    assert not inline.reject("first".__eq__)
    assert (3, "first") == (source.reads, inline.get())
    source.value = "second"
    clock.advance(1)
    assert inline.reject("first".__eq__)
    assert not inline.reject("second".__eq__)
    assert 5 == source.reads


def test_a_rejection_now_and_then_is_looked_up_at_once(inline: Cache[str], source: Source, clock: Clock) -> None:
    """No pause is longer than half a minute, so a rejection every hour is always looked up."""
    inline.get()
    for number in range(20):
        assert not inline.reject("first".__eq__)
        assert number + 2 == source.reads
        clock.advance(3600)


def test_short_pauses_come_back_slowly(inline: Cache[str], source: Source, clock: Clock) -> None:
    """After a quiet day the pauses begin short again."""
    inline.get()
    for _ in range(10):
        inline.reject("first".__eq__)
        clock.advance(30)
    clock.advance(86_400)
    reads = source.reads
    inline.reject("first".__eq__)
    clock.advance(24)
    assert not inline.reject("first".__eq__)
    assert reads + 2 == source.reads


def test_any_read_counts_as_a_look_up(inline: Cache[str], source: Source, clock: Clock) -> None:
    """While a value is rejected again and again, a read that was due anyway starts the pause again."""
    inline.get()
    for _ in range(6):
        inline.reject("first".__eq__)
        clock.advance(16)
    assert 7 == source.reads
    clock.advance(85)
    inline.get()
    assert 8 == source.reads, "this read was due"
    clock.advance(29)
    inline.reject("first".__eq__)
    assert 8 == source.reads


def test_clock_set_back_ends_a_pause(inline: Cache[str], source: Source, clock: Clock) -> None:
    """A pause from before the clock was set back does not last until the old time comes again."""
    inline.get()
    inline.reject("first".__eq__)
    clock.advance(-10_000)
    assert not inline.reject("first".__eq__)
    assert 3 == source.reads


def test_rejection_while_the_store_is_down(inline: Cache[str], source: Source) -> None:
    """If the newest value can't be read, a rejection changes nothing, and isn't tried again at once."""
    inline.get()
    source.error = down()
    assert [False, False] == [inline.reject("first".__eq__) for _ in range(2)]
    assert (2, "first") == (source.reads, inline.get())


def test_rejection_joins_the_read_that_is_under_way(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A rejection during a soft read waits for that read, which learns that its value was rejected."""
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
