import pytest

from builders import DAY, HOUR, IN_TABLE, MINUTE, NOW, attempt, document, policy
from token_refresh.core.schedule import due_at, last_quarter_at, lifetime_too_short, next_attempt_at


def test_a_token_set_is_due_a_window_before_it_expires() -> None:
    """A day's token with a window of eight hours is due after sixteen."""
    assert NOW + 16 * HOUR == due_at(document(issued_at=NOW, expires_at=NOW + DAY), policy(window=8 * HOUR))


def test_a_token_set_is_never_due_before_two_thirds_of_its_life() -> None:
    """A window longer than a third of the lifetime is cut to that third."""
    assert NOW + 2 * HOUR == due_at(document(issued_at=NOW, expires_at=NOW + 3 * HOUR), policy(window=8 * HOUR))


def test_an_unknown_lifetime_leaves_the_window_as_it_is() -> None:
    """A document that someone else wrote has no known lifetime, and is due by the window alone."""
    assert NOW - 5 * HOUR == due_at(document(expires_at=NOW + 3 * HOUR), policy(window=8 * HOUR))


@pytest.mark.parametrize("changes", [{"expires_at": None}, {"accessToken": None}])
def test_an_incomplete_token_set_is_due_now(changes: dict[str, None]) -> None:
    """Without an expiry or an access token there is nothing to wait for, nor to hold for."""
    incomplete = document(**changes)

    assert (None, None) == (due_at(incomplete, policy()), last_quarter_at(incomplete, policy()))


def test_a_hold_lasts_until_the_last_quarter_of_the_window() -> None:
    """With a window of eight hours a held refresh waits until two hours before expiry."""
    assert NOW + 22 * HOUR == last_quarter_at(document(issued_at=NOW, expires_at=NOW + DAY), policy(window=8 * HOUR))


@pytest.mark.parametrize(
    ("number", "minutes"),
    [(1, 0), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (50, 60), (100_000, 60)],
)
def test_each_attempt_waits_twice_as_long_as_the_one_before_up_to_an_hour(number: int, minutes: int) -> None:
    """The second attempt follows at once; then the wait doubles from two minutes to an hour and stays there."""
    assert NOW + minutes * MINUTE == next_attempt_at(attempt(number=number, claimed_at=NOW))


def test_tokens_that_fall_due_too_often_are_found() -> None:
    """40 claims a day serve tokens of 54 minutes, 80 in a table those of 27; an unknown lifetime is given a chance."""
    for minutes, table in ((54, policy()), (27, IN_TABLE)):
        fits = document(issued_at=NOW, expires_at=NOW + minutes * MINUTE)
        short = document(issued_at=NOW, expires_at=NOW + (minutes - 1) * MINUTE)
        assert [False, True] == [lifetime_too_short(it, table) for it in (fits, short)]
    assert not lifetime_too_short(document(), policy())
