"""A fetch that is interrupted, lost or overtaken, and what the threads and tasks that wait for it get."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from reader.source import Source, down
from testbed.reader_surroundings import Background, Clock, runtime
from token_refresh.errors import TokenRefreshError
from token_refresh.reader.cache import Cache

T = TypeVar("T")


def test_without_a_thread(source: Source, clock: Clock) -> None:
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
def test_read_that_never_ends_is_given_up(source: Source, clock: Clock, *, asynchronous: bool) -> None:
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
    source: Source, clock: Clock, background: Background, caplog: pytest.LogCaptureFixture, *, asynchronous: bool
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
    cache: Cache[str], source: Source, clock: Clock, background: Background, *, fails: bool
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


def test_async_error_and_fast_path(cache: Cache[str], source: Source, clock: Clock, background: Background) -> None:
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
