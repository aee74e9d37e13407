from datetime import datetime, timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, claim, document, entry, policy
from token_refresh.core.claims import ClaimEntry
from token_refresh.core.schedule import CLAIMS_A_DAY, claim_allowed_at, due_at, held_until, next_attempt_at


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

    assert (None, None) == (due_at(incomplete, policy()), held_until(incomplete, policy()))


def test_a_hold_lasts_until_the_last_quarter_of_the_window() -> None:
    """With a window of eight hours a held refresh waits until two hours before expiry."""
    assert NOW + 22 * HOUR == held_until(document(issued_at=NOW, expires_at=NOW + DAY), policy(window=8 * HOUR))


@pytest.mark.parametrize(
    ("number", "minutes"),
    [(1, 0), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (50, 60), (100_000, 60)],
)
def test_each_attempt_waits_twice_as_long_as_the_one_before_up_to_an_hour(number: int, minutes: int) -> None:
    """The second attempt follows at once; then the wait doubles from two minutes to an hour and stays there."""
    assert NOW + minutes * MINUTE == next_attempt_at(entry(attempt=number, claimed_at=NOW))


def claims_at(*moments: datetime) -> tuple[ClaimEntry, ...]:
    return tuple(entry(f"c{n}", claimed_at=moment) for n, moment in enumerate(moments))


def test_seventy_claims_a_day_are_allowed() -> None:
    """The 71st claim in 24 hours waits until the first of the last 70 is a day old."""
    spread = [NOW - DAY + timedelta(minutes=n + 1) for n in range(CLAIMS_A_DAY)]

    full = claim("last", claimed_at=spread[-1], earlier=claims_at(*spread[:-1]))
    room = claim("last", claimed_at=spread[-1], earlier=claims_at(*spread[1:-1]))

    assert 70 == len(full.chain)
    assert NOW + MINUTE == claim_allowed_at(full, NOW)
    assert NOW == claim_allowed_at(room, NOW)
    assert NOW + MINUTE == claim_allowed_at(full, NOW + MINUTE)


def test_more_claims_than_the_limit_wait_for_enough_of_them_to_age() -> None:
    """Where more than 70 claims lie in the last day, as many have to age as are over the limit."""
    spread = [NOW - DAY + timedelta(minutes=n + 1) for n in range(CLAIMS_A_DAY + 5)]

    assert NOW + 6 * MINUTE == claim_allowed_at(claim(claimed_at=spread[-1], earlier=claims_at(*spread[:-1])), NOW)


def test_without_claims_one_is_allowed_now() -> None:
    """A secret without claims is at no limit."""
    assert NOW == claim_allowed_at(None, NOW)
