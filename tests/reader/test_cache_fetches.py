"""Fetches that are interrupted, lost or overtaken, and rejected values: read again, once, and not too often."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from reader.conftest import Source, down
from testbed.reader_surroundings import Background, WallClock, runtime
from token_refresh.errors import TokenRefreshError
from token_refresh.reader.cache import Cache

T = TypeVar("T")


def test_without_a_thread(source: Source, clock: WallClock) -> None:
    """If no thread can be started, the caller reads itself."""

    def refuse(_work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    cache: Cache[str] = Cache(source.read, background=True, runtime=runtime(clock, refuse))
    cache.get()
    clock.advance(100)
    source.value = "second"
    assert "first" == cache.get()
    assert "second" == cache.get()


def test_interrupted_read_leaves_nobody_waiting(inline: Cache[str], source: Source) -> None:
    """An interrupt during a read ends only the interrupted call; the next call reads again."""
    source.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        inline.get()
    source.error = None
    assert "first" == inline.get()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_read_that_never_ends_is_given_up(source: Source, clock: WallClock, *, asynchronous: bool) -> None:
    """A waiting caller gives up a read that takes too long, since its thread may have ended, and begins another."""
    lost: list[Callable[[], None]] = []

    def lose_the_first(work: Callable[[], None]) -> None:
        if lost:
            work()
        else:
            lost.append(work)

    runs = runtime(clock, lose_the_first)
    cache: Cache[str] = Cache(source.read, background=True, runtime=runs, fetch_seconds=0.001)

    async def begin_and_leave() -> None:
        leaving = asyncio.ensure_future(cache.aget())
        await asyncio.sleep(0)
        leaving.cancel()

    asyncio.run(begin_and_leave())
    assert (1, 0) == (len(lost), source.reads)
    assert "first" == (asyncio.run(cache.aget()) if asynchronous else cache.get())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_store_that_hangs_has_failed(
    source: Source, clock: WallClock, background: Background, caplog: pytest.LogCaptureFixture, *, asynchronous: bool
) -> None:
    """A read that hangs has failed: the cached value is served, and the next reads come after growing pauses."""
    runs = runtime(clock, background)
    cache: Cache[str] = Cache(source.read, background=True, runtime=runs, fetch_seconds=0.001, name="my-secret")

    async def within(call: Awaitable[T]) -> T:
        async with asyncio.timeout(60):  # without an end, this test would have none
            return await call

    def serve() -> tuple[str, bool]:
        if asynchronous:
            return asyncio.run(within(cache.aget())), asyncio.run(within(cache.areject("first".__eq__)))
        return cache.get(), cache.reject("first".__eq__)

    cache.get()
    clock.advance(100)
    for _ in range(40):
        assert ("first", False) == serve()
        clock.advance(1)
    assert 3 <= len(background.waiting) <= 6, "each read that hangs is a thread"
    assert "my-secret: a read takes over 0 s: check the network and the client's timeouts" in caplog.text
    source.value = "second"
    background.waiting[-1]()
    assert "second" == serve()[0]


@pytest.mark.parametrize("fails", [False, True])
def test_overtaken_read_changes_nothing(
    cache: Cache[str], source: Source, clock: WallClock, background: Background, *, fails: bool
) -> None:
    """A read that was given up and ends after a newer one, well or badly, changes neither value nor failure."""
    cache.get()
    for seconds in (100, 30, 1):
        clock.advance(seconds)
        cache.get()
    old, new = background.waiting
    source.value = "second"
    new()
    source.value, source.error = "stale", down() if fails else None
    old()
    source.error = None
    clock.advance(98)
    assert ("second", 3) == (cache.get(), source.reads)
    assert 2 == len(background.waiting), "no read was begun for a failure"


def test_cancelled_task_leaves_the_others_alone(cache: Cache[str], background: Background) -> None:
    """Cancelling one of the tasks that wait for a read cancels neither the read nor the others."""

    async def main() -> str:
        first, second = (asyncio.ensure_future(cache.aget()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        background.run()
        assert first.cancelled()
        return await second

    assert "first" == asyncio.run(main())


def test_async_error_and_fast_path(cache: Cache[str], source: Source, clock: WallClock, background: Background) -> None:
    """`aget` raises what `get` raises, and gives a fresh value without a thread."""
    source.error = down()

    async def main() -> str:
        failing = asyncio.ensure_future(cache.aget())
        await asyncio.sleep(0)
        background.run()
        with pytest.raises(TokenRefreshError):
            await failing
        clock.advance(1)
        source.error = None
        good = asyncio.ensure_future(cache.aget())
        await asyncio.sleep(0)
        background.run()
        return f"{await good} {await cache.aget()}"

    assert "first first" == asyncio.run(main())
    assert [] == background.waiting


def test_value_that_was_replaced_is_not_read_for(inline: Cache[str], source: Source) -> None:
    """Rejecting a value that isn't the cached one costs no read, nor does it where nothing is cached."""
    assert inline.reject("older".__eq__)
    assert 0 == source.reads
    inline.get()
    assert inline.reject("older".__eq__)
    assert 1 == source.reads


def test_same_value_back_is_rate_limited(inline: Cache[str], source: Source, clock: WallClock) -> None:
    """A rejected value that is still current, or can't be looked up, isn't read again before 1, 2, 4 ... s."""
    inline.get()
    assert [False, False, False] == [inline.reject("first".__eq__) for _ in range(3)]
    assert 2 == source.reads
    clock.advance(1)
    source.error = down()
    assert [False, False] == [inline.reject("first".__eq__) for _ in range(2)]
    assert (3, "first") == (source.reads, inline.get())
    source.error = None
    clock.advance(1)
    assert not inline.reject("first".__eq__)
    assert 3 == source.reads
    clock.advance(-10_000)
    assert not inline.reject("first".__eq__)
    assert 4 == source.reads
    source.value = "second"
    clock.advance(30)
    assert inline.reject("first".__eq__)
    assert not inline.reject("second".__eq__)
    assert 6 == source.reads


def test_no_pause_is_long(inline: Cache[str], source: Source, clock: WallClock) -> None:
    """A rejection every hour is always looked up; a read that was due counts; a quiet day makes pauses short."""
    inline.get()
    for number in range(20):
        assert not inline.reject("first".__eq__)
        assert number + 2 == source.reads
        clock.advance(3600)
    for _ in range(6):
        inline.reject("first".__eq__)
        clock.advance(16)
    clock.advance(85)
    reads = source.reads
    inline.get()
    assert reads + 1 == source.reads, "this read was due"
    clock.advance(29)
    inline.reject("first".__eq__)
    assert reads + 1 == source.reads
    clock.advance(86_400)
    inline.reject("first".__eq__)
    clock.advance(24)
    inline.reject("first".__eq__)
    assert reads + 3 == source.reads


def test_rejection_joins_a_read(cache: Cache[str], source: Source, clock: WallClock, background: Background) -> None:
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
