"""The cache core, without a store: zones, shared reads, errors, backoff, rejection."""

import asyncio
import itertools
import logging
import math
from collections.abc import Callable

import pytest

from reader.surroundings import Background, Clock, runtime
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError
from token_refresh.reader.cache import Cache
from token_refresh.reader.flight import Entry


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
        return Entry(value=value, refresh_at=now + 100, wait_at=now + 150, expires_at=now + 200)


@pytest.fixture
def source(clock: Clock) -> Source:
    return Source(clock)


@pytest.fixture
def inline(source: Source, clock: Clock) -> Cache[str]:
    return Cache(source.read, background=False, runtime=runtime(clock))


@pytest.fixture
def cache(source: Source, clock: Clock, background: Background) -> Cache[str]:
    return Cache(source.read, background=True, runtime=runtime(clock, background))


def down() -> SecretStoreUnavailable:
    return SecretStoreUnavailable("the store is down")


def test_fresh_value_costs_one_read(cache: Cache[str], source: Source, clock: Clock) -> None:
    """As long as a value is fresh, it is read once, whoever asks."""
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
    """Without a background, the caller who comes upon a soft value reads it and gets the new one."""
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


def test_soft_flight_that_lasts_is_not_repeated(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """Until it is overdue, a background read is the only one; then another is begun in its place."""
    cache.get()
    clock.advance(100)
    cache.get()
    clock.advance(29)
    cache.get()
    assert 1 == len(background.waiting)
    clock.advance(1)
    cache.get()
    assert 2 == len(background.waiting)
    source.value = "second"
    background.run()
    assert "second" == cache.get()


def test_overdue_value_waits_for_a_new_one(cache: Cache[str], source: Source, clock: Clock) -> None:
    """An overdue value isn't served where a newer one can be read."""
    cache.get()
    source.value = "second"
    clock.advance(150)
    assert "second" == cache.get()


def test_overdue_value_is_served_where_the_read_fails(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A failed read never refuses a value that is still good, and nobody waits for the reads that follow."""
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
    """From its expiry on a value is gone: callers get a new one, or the error."""
    cache.get()
    clock.advance(200)
    source.error = down()
    with pytest.raises(SecretStoreUnavailable):
        cache.get()
    source.error = None
    source.value = "second"
    clock.advance(5)
    assert "second" == cache.get()


def test_error_is_shared_for_a_moment(cache: Cache[str], source: Source, clock: Clock) -> None:
    """With nothing to serve, an error is raised again without a read, for 1 s, 2 s ... 5 s, less some jitter."""
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
    assert [0.75, 1.5, 3.0, 3.75, 3.75, 3.75] == pauses


def test_shared_errors_have_no_traceback_of_the_read(cache: Cache[str], source: Source) -> None:
    """Each caller raises an error of its own, which leads neither to the read's frames nor to what it held."""
    source.error = down()
    with pytest.raises(SecretStoreUnavailable) as first:
        cache.get()
    with pytest.raises(SecretStoreUnavailable) as second:
        cache.get()
    assert first.value is not second.value
    names = [frame.name for frame in first.traceback]
    assert "read" not in names
    assert (None, None) == (first.value.__cause__, first.value.__context__)


def test_backoff_grows_to_thirty_seconds_while_a_value_is_served(
    inline: Cache[str], source: Source, clock: Clock
) -> None:
    """While a good value is served, failed reads are repeated after 1, 2, 4 ... 30 s, less some jitter."""
    inline.get()
    inline._entry = Entry(value="first", refresh_at=clock(), wait_at=math.inf, expires_at=math.inf)  # noqa: SLF001 - one that lasts
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
    assert [0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5] == pauses


def test_failure_is_forgotten_at_expiry(inline: Cache[str], source: Source, clock: Clock) -> None:
    """A backoff that began while a value was served ends with that value: its expiry is worth one more read."""
    inline.get()
    source.error = down()
    clock.advance(199.5)
    inline.get()
    clock.advance(0.5)
    source.error, source.value = None, "second"
    assert "second" == inline.get()


def test_error_from_before_the_clock_was_set_back_is_not_shared(
    cache: Cache[str], source: Source, clock: Clock
) -> None:
    """A clock that is set back by an hour doesn't make an error last for an hour."""
    source.error = down()
    with pytest.raises(SecretStoreUnavailable):
        cache.get()
    clock.advance(-3600)
    source.error = None
    assert "first" == cache.get()


def test_served_despite_failure_is_logged(
    inline: Cache[str], source: Source, clock: Clock, caplog: pytest.LogCaptureFixture
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


def test_no_thread_to_be_had(source: Source, clock: Clock) -> None:
    """Where no thread can be started, the caller reads in its own."""

    def refuse(_work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    cache: Cache[str] = Cache(source.read, background=True, runtime=runtime(clock, refuse))
    cache.get()
    clock.advance(100)
    source.value = "second"
    assert "first" == cache.get()
    assert "second" == cache.get()


def test_interrupted_read_leaves_nobody_waiting(inline: Cache[str], source: Source) -> None:
    """An interrupt in the middle of a read is the interrupted caller's alone; the next one reads anew."""
    source.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        inline.get()
    source.error = None
    assert "first" == inline.get()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_read_that_never_ends_is_given_up(source: Source, clock: Clock, *, asynchronous: bool) -> None:
    """A waiter gives up a read that takes too long (its thread may be gone) and begins another."""
    lost: list[Callable[[], None]] = []

    def lose_the_first(work: Callable[[], None]) -> None:
        if lost:
            work()
        else:
            lost.append(work)

    runs = runtime(clock, lose_the_first)
    cache: Cache[str] = Cache(source.read, background=True, runtime=runs, flight_seconds=0.001)

    async def begin_and_leave() -> None:
        leaving = asyncio.ensure_future(cache.aget())
        await asyncio.sleep(0)
        leaving.cancel()

    asyncio.run(begin_and_leave())
    assert (1, 0) == (len(lost), source.reads)
    assert "first" == (asyncio.run(cache.aget()) if asynchronous else cache.get())


def test_overtaken_read_changes_nothing(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A read that was given up and ends after a newer one brings nothing back, neither value nor failure."""
    cache.get()
    clock.advance(100)
    cache.get()
    clock.advance(30)
    cache.get()
    old, new = background.waiting
    source.value = "second"
    new()
    source.value = "stale"
    old()
    assert "second" == cache.get()


def test_overtaken_failure_changes_nothing(
    cache: Cache[str], source: Source, clock: Clock, background: Background
) -> None:
    """A failure that comes after a newer read's success isn't held against it."""
    cache.get()
    clock.advance(100)
    cache.get()
    clock.advance(30)
    cache.get()
    old, new = background.waiting
    new()
    source.error = down()
    old()
    clock.advance(99)
    source.error = None
    assert "first" == cache.get()
    assert 3 == source.reads


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
