from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from examples import UNHURRIED
from token_refresh_worker.fleet.core.messages import BUDGET_SECONDS, SECONDS, pace


def test_order_is_kept() -> None:
    """The first in the list is sent first, as many a second as spread the budget evenly."""
    assert [[0, 1], [2, 3], [4]] == pace(["a"] * 5, per_minute=100, rates={})


def test_slow_provider_lets_others_pass() -> None:
    """A provider that allows one request in two seconds takes every second one; the others fill the rest."""
    seconds = pace(["slow", "slow", "fast", "fast"], per_minute=50, rates={"slow": 0.5})

    assert [[0], [2], [1], [3]] == seconds


def test_full_seconds_are_skipped() -> None:
    """A message whose second is full goes into the next one that has room."""
    seconds = pace(["a", "b", "a", "b"], per_minute=50, rates={"a": 1 / 4, "b": 1 / 3})

    assert [[0], [1], [], [], [2], [3]] == seconds


def test_what_does_not_fit_is_left_out() -> None:
    """The list that is sent never goes beyond the seconds that the dispatcher has."""
    assert SECONDS == len(pace(["a"] * 500, per_minute=50, rates={}))
    assert [] == pace([], per_minute=50, rates={})


@UNHURRIED
@given(
    st.lists(st.sampled_from("abc"), max_size=300),
    st.integers(1, 2000),
    st.dictionaries(st.sampled_from("abc"), st.floats(0.1, 20)),
)
def test_limits_hold(providers: list[str], per_minute: int, rates: dict[str, float]) -> None:
    """No second exceeds the budget's share, no provider its rate, and nothing is sent twice."""
    seconds = pace(providers, per_minute=per_minute, rates=dict(rates))

    sent = [position for second in seconds for position in second]
    assert len(sent) == len(set(sent))
    assert max(map(len, seconds), default=0) <= per_minute // BUDGET_SECONDS + 1
    for second in seconds:
        for provider, count in Counter(providers[position] for position in second).items():
            assert count <= rates.get(provider, 1000.0) + 1
    assert len(seconds) <= SECONDS
