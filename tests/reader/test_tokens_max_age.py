"""`TokenReader` with a `max_age`: no token older than that, where a newer one can be read."""

from datetime import timedelta
from typing import Any

import pytest

from testbed.reader_surroundings import Background, Clock, Store, runtime
from token_refresh.reader import ConfigurationError, TokenReader


def test_max_age_bounds_staleness(store: Store, clock: Clock) -> None:
    """With a `max_age`, no token older than that is served where a newer one can be read."""
    reader = TokenReader(
        "tokens", client=store.client, max_age=timedelta(minutes=1), background=True, runtime=runtime(clock)
    )
    store.put("one")
    reader.get()
    store.put("two")
    clock.advance(47)
    assert ("one", 1) == (reader.get(), store.reads)
    clock.advance(13)
    assert ("two", 2) == (reader.get(), store.reads)


def test_max_age_refreshes_busy_services_in_background(store: Store, clock: Clock, background: Background) -> None:
    """A service that asks all the time never waits: from four fifths of `max_age` on a background read is begun."""
    reader = TokenReader(
        "tokens", client=store.client, max_age=timedelta(minutes=1), background=True, runtime=runtime(clock, background)
    )
    store.put("one")
    reader.get()
    store.put("two")
    clock.advance(48)
    assert "one" == reader.get()
    background.run()
    assert "two" == reader.get()


def test_max_age_never_refuses_a_valid_token(store: Store, clock: Clock) -> None:
    """Older than `max_age`, a valid token is served where the newest can't be read."""
    reader = TokenReader("tokens", client=store.client, max_age=timedelta(minutes=1), runtime=runtime(clock))
    store.put("one")
    reader.get()
    store.server.fault("deny", "GetSecretValue", times=None)
    clock.advance(3599)
    assert "one" == reader.get()


@pytest.mark.parametrize(
    ("max_age", "says"),
    [(timedelta(), "a positive"), (timedelta(seconds=-1), "a positive"), (5, "a timedelta")],
)
def test_max_age_must_be_positive(max_age: Any, says: str) -> None:
    """A `max_age` that bounds nothing, or is a number, is refused by its name."""
    with pytest.raises(ConfigurationError, match=f"max_age must be {says}"):
        TokenReader("tokens", max_age=max_age)
