"""How soon a value is read again, after a failure and after a rejection."""

from testbed.reader_surroundings import START, WallClock, runtime
from token_refresh.reader.lifetimes import MOST_RESTORES
from token_refresh.reader.pauses import RetryPauses


def test_a_store_that_gives_two_values_in_turn() -> None:
    """Five changes in a row are each followed by a read at once; from the sixth on, rejections wait."""
    pauses = RetryPauses(
        runtime(WallClock()), longest_seconds=300, longest_empty_seconds=300, most_restores=MOST_RESTORES
    )
    at_once = []
    for _ in range(7):
        pauses.changed(START, rejected=True)
        at_once.append(pauses.may_read(START))

    assert [True] * 5 + [False] * 2 == at_once
    assert pauses.may_read(START + 300)
