"""When a token is read again, with a `max_age` too: no token older than that, where a newer one can be read."""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.reader_surroundings import START, Background, Store, WallClock, runtime
from token_refresh.reader import ConfigurationError, Token, TokenReader
from token_refresh.reader.token import RefreshPattern
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, refresh_window

DAY, HOUR = 86_400.0, 3600.0


def token(*, created_at: float = START, lives_seconds: float = HOUR, version_id: str = "one") -> Token:
    return Token(
        value="value",
        created_at=datetime.fromtimestamp(created_at, UTC),
        expires_at=datetime.fromtimestamp(created_at + lives_seconds, UTC),
        version_id=version_id,
    )


@pytest.mark.parametrize("lives_seconds", [90, HOUR, DAY, 4 * DAY])
def test_first_expectation(lives_seconds: float) -> None:
    """At first a refresh is expected when tokens fall due by the default window, but none is kept for over a day."""
    pattern, read = RefreshPattern(), token(lives_seconds=lives_seconds)
    window = refresh_window(DEFAULT_WINDOW, timedelta(seconds=lives_seconds)).total_seconds()
    expected = START + min(lives_seconds - window + min(30, window / 4), DAY)
    assert expected == pytest.approx(pattern.next_read_at(read, now=START, chance=0.5))


def test_learned_expectation() -> None:
    """Then it's what was seen: the latest of the last eight refreshes counts, so that one read is enough."""
    pattern = RefreshPattern()
    for lead in [60, *[600] * 7, 1600]:
        pattern.learn(token(), token(created_at=START + 3600 - lead, version_id="two"))
    assert START + 3030 == pattern.next_read_at(token(), now=START, chance=0.5)


@pytest.mark.parametrize(
    "successor",
    [
        token(created_at=START + 3000, version_id="one"),
        token(created_at=START + 3600, version_id="two"),
        token(created_at=START + 9000, version_id="two"),
        token(created_at=START, version_id="two"),
        token(created_at=START - 9000, version_id="two"),
    ],
)
def test_nothing_is_learned_from_what_is_no_successor(successor: Token) -> None:
    """The same version, one that came after the expiry and one from before are no refreshes to go by."""
    pattern = RefreshPattern()
    pattern.learn(token(), successor)
    assert [] == list(pattern.leads)


@pytest.mark.parametrize(("left_seconds", "pause_seconds"), [(1200, 150), (8 * HOUR, 300), (16, 5)])
def test_late_refresh_is_watched_for(left_seconds: float, pause_seconds: float) -> None:
    """Where the refresh is late, reads come closer the nearer the expiry is, from 5 min to 5 s apart."""
    late = token(lives_seconds=DAY)
    now = START + DAY - left_seconds
    assert now + pause_seconds == RefreshPattern(leads=deque([DAY])).next_read_at(late, now=now, chance=0.5)


@given(
    lives_seconds=st.floats(1, 100 * DAY),
    age=st.floats(-HOUR, 100 * DAY),
    chance=st.floats(0, 1),
    lead=st.floats(1, DAY),
)
def test_next_read_is_ahead(lives_seconds: float, age: float, chance: float, lead: float) -> None:
    """The next read always lies ahead, never a rush of them."""
    now = START + age
    for pattern in (RefreshPattern(), RefreshPattern(leads=deque([lead]))):
        assert now < pattern.next_read_at(token(lives_seconds=lives_seconds), now=now, chance=chance)


def test_max_age_bounds_staleness(store: Store, clock: WallClock, background: Background) -> None:
    """No token older than `max_age` is served where there is a newer one; a busy service never waits for that."""
    options: Any = {"client": store.client, "max_age": timedelta(minutes=1), "background": True}
    reader = TokenReader("tokens", **options, runtime=runtime(clock))
    busy = TokenReader("tokens", **options, runtime=runtime(clock, background))
    store.put("one")
    assert ["one", "one"] == [reader.get(), busy.get()]
    store.put("two")
    clock.advance(47)
    assert ("one", 2) == (reader.get(), store.reads)
    clock.advance(1)
    assert ("one", 1) == (busy.get(), background.run())
    assert "two" == busy.get()
    clock.advance(12)
    assert ("two", 4) == (reader.get(), store.reads)


def test_max_age_never_refuses_a_valid_token(store: Store, clock: WallClock) -> None:
    """Older than `max_age`, a valid token is served where the newest can't be read."""
    reader = TokenReader("tokens", client=store.client, max_age=timedelta(minutes=1), runtime=runtime(clock))
    store.put("one")
    reader.get()
    store.server.fault("deny", "GetSecretValue", times=None)
    clock.advance(3599)
    assert "one" == reader.get()


@pytest.mark.parametrize(
    ("max_age", "says"), [(timedelta(), "a positive"), (timedelta(seconds=-1), "a positive"), (5, "a timedelta")]
)
def test_max_age_must_be_positive(max_age: Any, says: str) -> None:
    """A `max_age` that bounds nothing, or is a number, is refused by its name."""
    with pytest.raises(ConfigurationError, match=f"max_age must be {says}"):
        TokenReader("tokens", max_age=max_age)
