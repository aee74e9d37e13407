"""The cache against a model: any order of reads, stores, outages, rejections and time, with late background reads."""

import math
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from examples import examples
from testbed.reader_surroundings import Background, WallClock, runtime
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError
from token_refresh.reader import TokenExpired
from token_refresh.reader.cache import Cache
from token_refresh.reader.fetch import FETCH_SECONDS, CacheEntry
from token_refresh.reader.pauses import LONGEST_BACKOFF_SECONDS, LONGEST_EMPTY_SECONDS

GROUP = "unmeasured"

Value = tuple[int, float]  # a number that grows, and an expiry


class CacheModel(RuleBasedStateMachine):
    """One store of one value that expires, and one cache, in one of its two modes."""

    def __init__(self, *, background: bool) -> None:
        super().__init__()
        self.clock = WallClock()
        self.background = Background()
        self.stored: Value = (0, self.clock() + 100)
        self.down = False
        self.reads = 0
        self.served = -1
        self.read_at = -1e9
        # A background read that is waited for in this one thread would never end: it's given up at once.
        runs = runtime(self.clock, self.background)
        self.cached: Value | None = None
        self.idle_until = -math.inf
        self.cache: Cache[Value] = Cache(
            self.read, background=background, runtime=runs, fetch_seconds=0.0001, publish=self.publish
        )

    def publish(self, value: Value, until: float) -> None:
        self.cached, self.idle_until = value, until

    def read(self, previous: CacheEntry[Value] | None, _rejecting: Callable[[], bool]) -> CacheEntry[Value]:
        self.reads += 1
        self.read_at = now = self.clock()
        if self.down:
            raise SecretStoreUnavailable("down")
        value = self.stored
        if value[1] <= now:
            if previous is None or previous.value[1] <= now:
                raise TokenExpired("expired")
            value = previous.value
        return CacheEntry(value=value, read_at=now, refresh_at=now + 20, wait_at=now + 60, expires_at=value[1])

    @rule(seconds=st.sampled_from([0.1, 1.0, 7.0, 31.0, 120.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(lives_seconds=st.sampled_from([-1.0, 1.0, 50.0, 300.0]))
    def value_is_stored(self, lives_seconds: float) -> None:
        self.stored = (self.stored[0] + 1, self.clock() + lives_seconds)

    @rule(down=st.booleans())
    def store_goes_down_or_up(self, *, down: bool) -> None:
        self.down = down

    @precondition(lambda self: self.background.waiting)
    @rule(last=st.booleans())
    def background_read_ends(self, *, last: bool) -> None:
        self.background.waiting.pop(-1 if last else 0)()

    @rule()
    def value_is_read(self) -> None:
        reads, known, now = self.reads, self.cached, self.clock()
        usable = known is not None and now < known[1]
        try:
            value = self.cache.get()
        except TokenRefreshError:
            assert not usable, "a valid value was refused"
            since = now - self.read_at
            assert self.reads > reads or since <= LONGEST_EMPTY_SECONDS, "an error was shared for too long"
        else:
            assert now < value[1], "an expired value was served"
            assert self.reads > reads or value == known, "a value came from nowhere"
            assert self.served <= value[0], "an older value came back"
            self.served = value[0]
        assert self.reads - reads <= 1, "more than one read for one call"

    @rule()
    def value_is_rejected(self) -> None:
        reads, known = self.reads, self.cached
        if known is None:
            return
        replaced = self.cache.reject(known.__eq__)
        assert replaced == (self.cached != known)
        assert self.reads - reads <= 1, "more than one read for one call"

    @rule()
    def process_is_forked_or_restored(self) -> None:
        self.background.waiting.clear()
        self.cache.after_restore()

    @invariant()
    def fast_path_agrees(self) -> None:
        if self.cached and self.clock() < self.idle_until:
            assert self.clock() < self.cached[1], "the fast path would serve an expired value"
            longest = max(20, LONGEST_BACKOFF_SECONDS, FETCH_SECONDS)
            assert self.idle_until <= self.clock() + longest, "rest without end"


class InlineCache(CacheModel):
    def __init__(self) -> None:
        super().__init__(background=False)


class BackgroundCache(CacheModel):
    def __init__(self) -> None:
        super().__init__(background=True)


TestInlineCache = InlineCache.TestCase
TestBackgroundCache = BackgroundCache.TestCase
LIVES = settings(max_examples=examples(400), stateful_step_count=40)
TestInlineCache.settings = TestBackgroundCache.settings = LIVES
