from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from testbed.builders import DAY, HOUR, IN_TABLE, MINUTE, NOW, attempt, document, origin, policy
from token_refresh.stored.access_token import read_access_token
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.schedule import (
    GrantEnd,
    Policy,
    believed,
    claim_time_to_live,
    due_at,
    grant_end,
    last_quarter_at,
    lifetime_too_short,
    may_be_sent_again,
    next_attempt_at,
    rejection_retried_at,
    run_period,
    window_of,
)
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.stored.document import read_document
from token_refresh_worker.stored.origin import Asked, ClaimStoreKind


def test_a_token_set_is_due_a_window_before_it_expires() -> None:
    """A day's token with a window of eight hours is due after sixteen, and held for two more than twenty.

    A document that someone else wrote has no known lifetime, and is due by the window alone.
    """
    a_day, unknown = document(issued_at=NOW, expires_at=NOW + DAY), document(expires_at=NOW + 3 * HOUR)

    assert (NOW + 16 * HOUR, NOW + 22 * HOUR) == (due_at(a_day, policy()), last_quarter_at(a_day, policy()))
    assert NOW - 5 * HOUR == due_at(unknown, policy())


@pytest.mark.parametrize(
    ("access_days", "refresh_days", "due_days", "quarter_days"),
    [
        (60, 30, 30 - 28 / 3, 30 - 7 / 3),
        (30, 14, 14 * 2 / 3, 14 * 11 / 12),
        (10, 14, 14 * 2 / 3, 10 - 1 / 12),  # it ends last, and its window begins first
        (10, 9, 6, 8.25),
        (1, 14, 2 / 3, 11 / 12),
    ],
)
def test_a_grant_that_ends_first_is_refreshed_before_its_end(
    access_days: float, refresh_days: float, due_days: float, quarter_days: float
) -> None:
    """A refresh token may end before its access token: the last third of its life is its window, 9 days 8 h at most."""
    ends_at = NOW + refresh_days * DAY
    first = document(
        issued_at=NOW, expires_at=NOW + access_days * DAY, **origin(grant_began_at=NOW, grant_ends_at=ends_at)
    )

    assert NOW + due_days * DAY == due_at(first, policy(window=8 * HOUR))
    assert NOW + quarter_days * DAY == last_quarter_at(first, policy(window=8 * HOUR))


def test_a_grant_that_ends_first_has_the_shorter_window_everywhere() -> None:
    """Claims, backoffs and the schedule's period are cut by it, too: else a crash or a late run costs the grant."""
    half_an_hour = origin(grant_began_at=NOW, grant_ends_at=NOW + 30 * MINUTE)
    first = document(issued_at=NOW, expires_at=NOW + 3 * HOUR, **half_an_hour)
    third = attempt(number=8, fate=Fate.UNKNOWN, claimed_at=NOW + 20 * MINUTE)

    assert (10 * MINUTE, NOW + 29.5 * MINUTE) == (window_of(first, policy()), next_attempt_at(third, first, policy()))
    assert lifetime_too_short(first, policy())


@pytest.mark.parametrize(
    "unknown", [{"grant_began_at": None}, {"grant_ends_at": None}, {"grant_began_at": None, "grant_ends_at": None}, {}]
)
def test_a_grant_of_which_not_all_is_known_ends_no_token_set(unknown: dict[str, None]) -> None:
    """Its beginning, its end, or when the tokens were issued; their expiry alone counts then."""
    known: dict[str, Any] = {"grant_began_at": NOW, "grant_ends_at": NOW + 30 * DAY} | unknown
    issued_at = NOW if unknown else None
    tokens = document(issued_at=issued_at, expires_at=NOW + 60 * DAY, **origin(**known))

    assert NOW + 60 * DAY - 8 * HOUR == due_at(tokens, policy(window=8 * HOUR))


def test_a_grant_whose_end_no_refresh_moves_is_refreshed_by_its_tokens_alone() -> None:
    """Otherwise each run would refresh, and move nothing."""
    later = document(
        issued_at=NOW, expires_at=NOW + 60 * DAY, **origin(grant_began_at=NOW - 9 * DAY, grant_ends_at=NOW + 2 * DAY)
    )

    assert NOW + 60 * DAY - 8 * HOUR == due_at(later, policy(window=8 * HOUR))


@pytest.mark.parametrize("changes", [{"expires_at": None}, {"accessToken": None}])
def test_an_incomplete_token_set_is_due_now(changes: dict[str, None]) -> None:
    """Without an expiry or an access token there is nothing to wait for, nor to hold for."""
    incomplete = document(**changes)

    assert (None, None) == (due_at(incomplete, policy()), last_quarter_at(incomplete, policy()))
    without = document(issued_at=NOW, expires_at=NOW + HOUR, accessToken=None)
    assert 20 * MINUTE == window_of(without, policy())


@pytest.mark.parametrize(
    ("run_seconds", "window", "seconds"),
    [(90, 8 * HOUR, 630), (90, 20 * MINUTE, 630), (90, 10 * MINUTE, 330), (90, 2 * MINUTE, 120), (900, 8 * HOUR, 1440)],
)
def test_a_claim_lives_until_reads_show_what_its_run_stored(run_seconds: int, window: timedelta, seconds: int) -> None:
    """Nine minutes longer than its run, at most 55% of the window, and half a minute longer at least."""
    assert timedelta(seconds=seconds) == claim_time_to_live(timedelta(seconds=run_seconds), window)


@pytest.mark.parametrize(("grace", "seconds"), [(10 * MINUTE, 150), (9 * MINUTE, 630), (DAY, 630)])
def test_a_claim_ends_early_in_the_grace(grace: timedelta, seconds: int) -> None:
    """In its first quarter, so that the request of a run that died can be repeated; a shorter grace is no help."""
    assert timedelta(seconds=seconds) == claim_time_to_live(timedelta(seconds=90), 20 * MINUTE, grace)


LATER = document(expires_at=NOW + 99 * DAY)
"""A document whose end shortens no wait."""


@pytest.mark.parametrize(("minutes", "until"), [(18, 19), (14, 18), (19, 23), (21, 25)])
def test_the_last_wait_leaves_time_for_one_more_attempt(minutes: int, until: int) -> None:
    """A wait that would end after the token ends when a fifth of the last quarter is left; later ones are as long."""
    expires_at = NOW + 20 * MINUTE
    an_hour = document(expires_at=expires_at, issued_at=expires_at - HOUR)
    third = attempt(number=3, fate=Fate.UNKNOWN, claimed_at=NOW + minutes * MINUTE)

    assert NOW + until * MINUTE == next_attempt_at(third, an_hour, policy())


@pytest.mark.parametrize(
    ("number", "minutes"), [(1, 0), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (50, 60), (100_000, 60)]
)
def test_each_attempt_waits_twice_as_long_as_the_one_before_up_to_an_hour(number: int, minutes: int) -> None:
    """The second attempt follows at once; then the wait doubles from two minutes to an hour and stays there."""
    assert NOW + minutes * MINUTE == next_attempt_at(attempt(number=number, claimed_at=NOW), LATER, policy())


@pytest.mark.parametrize(
    ("number", "fate", "minutes"),
    [
        (4, Fate.NOT_REDEEMED, 8),
        (5, Fate.NOT_REDEEMED, 10),
        (24, Fate.NOT_REDEEMED, 10),
        (25, Fate.NOT_REDEEMED, 60),
        (24, Fate.UNKNOWN, 60),
    ],
)
def test_attempts_that_sent_nothing_take_no_version_with_claims_in_a_table(
    number: int, fate: Fate, minutes: int
) -> None:
    """They wait for ten minutes at most, 24 times: a host that is back is found soon, and a day's claims suffice."""
    last = attempt(number=number, fate=fate, claimed_at=NOW)

    assert NOW + minutes * MINUTE == next_attempt_at(last, LATER, policy(claim_store=ClaimStoreKind.TABLE))


def test_without_an_expiry_no_end_shortens_a_wait() -> None:
    """Nobody knows when such a token ends, so the wait is as long as its number says."""
    third = attempt(number=3, fate=Fate.UNKNOWN, claimed_at=NOW)

    assert NOW + 4 * MINUTE == next_attempt_at(third, document(expires_at=None), policy())


LONG = document(issued_at=NOW - 2 * HOUR, expires_at=NOW + 22 * HOUR)
"""A day's token: its last quarter begins at NOW + 20 h."""


def test_a_first_rejection_is_retried_after_an_hour() -> None:
    """One `invalid_grant` may be false, so the provider is asked again after an hour."""
    rejected = attempt(fate=Fate.REJECTED, claimed_at=NOW)

    assert NOW + HOUR == rejection_retried_at([rejected], LONG, policy())


def test_a_later_rejection_is_retried_after_a_day_or_in_the_last_quarter() -> None:
    """The second rejection on a version waits a day, or until the last quarter of the window begins."""
    rejections = [attempt(fate=Fate.REJECTED, claimed_at=NOW - HOUR), attempt(fate=Fate.REJECTED, claimed_at=NOW)]

    assert NOW + 20 * HOUR == rejection_retried_at(rejections, LONG, policy())
    assert NOW + DAY == rejection_retried_at(rejections, document(expires_at=None), policy())


def test_a_rejection_in_the_last_quarter_waits_its_time() -> None:
    """The last quarter is tried once: a rejection at its beginning or after it waits an hour, then a day."""
    begins = NOW + 20 * HOUR
    first = attempt(fate=Fate.REJECTED, claimed_at=begins)
    second = attempt(fate=Fate.REJECTED, claimed_at=begins + HOUR)

    assert begins + HOUR == rejection_retried_at([first], LONG, policy())
    assert begins + HOUR + DAY == rejection_retried_at([first, second], LONG, policy())


@pytest.mark.parametrize(
    ("since", "grace", "expected"),
    [
        (NOW, timedelta(0), False),
        (NOW + MINUTE, timedelta(0), False),
        (NOW - HOUR, HOUR, False),
        (NOW - HOUR, HOUR + MINUTE, True),
    ],
)
def test_a_token_may_be_sent_again_within_the_grace(since: datetime, grace: timedelta, *, expected: bool) -> None:
    """Without a grace period never, even if the claim seems to lie in the future."""
    assert expected is may_be_sent_again(since, NOW, grace)


@pytest.mark.parametrize("rule", [policy(), IN_TABLE])
def test_tokens_that_fall_due_too_often_do_not_fit(rule: Policy) -> None:
    """Tokens of the shortest lifetime fit into the claims of a day, and shorter ones don't."""
    shortest = shortest_lifetime(rule.claim_store.kind)

    for lifetime, too_short in ((shortest - MINUTE, True), (shortest, False)):
        assert too_short is lifetime_too_short(document(issued_at=NOW, expires_at=NOW + lifetime), rule)


@pytest.mark.parametrize(
    "unknown",
    [{"issued_at": None}, {"issued_at": NOW + DAY}, {"issued_at": NOW, "accessToken": None}, {"expires_at": None}],
)
def test_an_unknown_lifetime_fits(unknown: dict[str, Any]) -> None:
    """Nothing is said about tokens whose lifetime nobody knows, or that are incomplete."""
    assert not lifetime_too_short(document(**{"expires_at": NOW + MINUTE} | unknown), policy())


@pytest.mark.parametrize(("lives", "period"), [(DAY, 40 * MINUTE), (3 * HOUR, 20 * MINUTE)])
def test_a_schedule_runs_three_times_in_a_window(lives: timedelta, period: timedelta) -> None:
    """And each forty minutes at least, where no deployment says how often."""
    assert period == run_period(document(issued_at=NOW, expires_at=NOW + lives), policy())


KNOWN = replace(policy(), lifetime=HOUR)


@pytest.mark.parametrize(
    ("stored", "lives", "believed_for"),
    [
        ({}, HOUR, HOUR),
        ({}, 2 * HOUR, HOUR),
        ({}, 2 * HOUR + MINUTE, None),
        ({"issued_at": NOW - 30 * DAY}, 2 * HOUR + MINUTE, None),
        ({"issued_at": NOW - 30 * DAY}, 2 * HOUR, HOUR),  # Another job writes only its own keys.
        (origin(), 100 * HOUR, 100 * HOUR),
        (origin(), 100 * HOUR + MINUTE, None),
        (origin(lifetime=DAY), 2 * DAY, DAY),
        (origin(lifetime=DAY), 2 * DAY + MINUTE, None),
        (origin(lifetime=MINUTE), MINUTE, MINUTE),
        (origin(lifetime=MINUTE), 2 * MINUTE, MINUTE),
        (origin(lifetime=MINUTE), HOUR, None),
    ],
)
def test_an_expiry_that_can_not_be_true_is_unknown(
    stored: dict[str, Any], lives: timedelta, believed_for: timedelta | None
) -> None:
    """A token lives a lifetime after it was stored at most; an expiry of more than two says nothing.

    The token set's own lifetime counts before the documented one. What an older release's run wrote has a hundred.
    """
    found = document(expires_at=NOW + lives, **stored)

    judged = believed(found, NOW, KNOWN)

    ends_at = believed_for and NOW + believed_for
    assert (ends_at, None if ends_at else NOW + lives) == (judged.expires_at, judged.doubted_expiry)
    assert (ends_at is None) == (due_at(judged, KNOWN) is None)
    again = believed(read_document(judged.serialize(), needs_refresh_token=True), NOW + DAY, KNOWN)
    assert None is again.doubted_expiry
    served = read_access_token(found.serialize(), "", stored_at=NOW)
    assert served is not None
    assert again.expires_at is not None
    assert served.expires_at >= again.expires_at


def test_without_a_known_lifetime_each_expiry_is_believed() -> None:
    """A profile that documents none, as that of any provider, says nothing about years; nor does what has no expiry."""
    for found in (document(expires_at=NOW + 4000 * DAY), document(expires_at=None)):
        assert found is believed(found, NOW, policy())
        assert None is found.doubted_expiry
    assert document(expires_at=None) == believed(document(expires_at=None), NOW, KNOWN)


def test_all_ends_count() -> None:
    """What is due, the last quarter and the last try are the earliest of access token, moved grant end and idle end."""
    idle = replace(policy(), idle=6 * DAY)
    long = document(issued_at=NOW, expires_at=NOW + 60 * DAY)

    assert (NOW + 4 * DAY, NOW + 5.5 * DAY) == (due_at(long, idle), last_quarter_at(long, idle))
    assert 40 * MINUTE == run_period(long, idle)
    late = attempt(number=9, claimed_at=NOW + 5.89 * DAY)
    assert NOW + 5.9 * DAY == next_attempt_at(late, long, replace(idle, refresh_window=MINUTE))
    short = document(issued_at=NOW, expires_at=NOW + HOUR)
    assert (NOW + 40 * MINUTE, NOW + 55 * MINUTE) == (due_at(short, idle), last_quarter_at(short, idle))
    assert due_at(long, policy()) == due_at(document(expires_at=NOW + 60 * DAY), idle)


def test_the_end_of_a_grant_is_the_earliest() -> None:
    """As stated, or because nobody uses it: from the last refresh, else from when the tokens were stored."""
    idle = replace(policy(), idle=6 * DAY)
    stated = origin(grant_began_at=NOW, grant_ends_at=NOW + 4 * DAY)

    assert None is grant_end(document(), NOW, policy())
    assert GrantEnd(NOW + 6 * DAY, NOW + 4.5 * DAY, is_idle=True) == grant_end(document(), NOW, idle)
    assert GrantEnd(NOW + 5 * DAY, NOW + 3.5 * DAY, is_idle=True) == grant_end(document(issued_at=NOW - DAY), NOW, idle)
    assert GrantEnd(NOW + 4 * DAY, NOW + 3 * DAY) == grant_end(document(**stated), NOW, idle)


@pytest.mark.parametrize(
    ("left", "due_before"),
    [(20 * HOUR, 8 * HOUR), (8 * HOUR, 2 * HOUR), (3 * HOUR, 2 * HOUR), (2 * HOUR, 0 * HOUR), (MINUTE, 0 * HOUR)],
)
def test_what_was_asked_in_vain_is_asked_again_later(left: timedelta, due_before: timedelta) -> None:
    """A provider that returned the same access token is asked at the window, its last quarter and its end."""
    known = document(issued_at=NOW, expires_at=NOW + DAY, **origin(lifetime=DAY, asked=Asked(left=left, at=NOW)))

    assert NOW + DAY - due_before == due_at(known, policy())
    assert NOW + 22 * HOUR == last_quarter_at(known, policy())


@pytest.mark.parametrize(
    ("left", "due_before"),
    [
        (None, 20 * DAY),
        (30 * DAY, 20 * DAY),
        (10 * DAY, 5 * DAY),
        (5 * DAY, 30 * HOUR),
        (HOUR, 40 * MINUTE),
        (MINUTE, 40 * MINUTE),
    ],
)
def test_a_grant_that_is_its_access_token_is_never_asked_for_at_its_end(
    left: timedelta | None, due_before: timedelta
) -> None:
    """Where a refresh redeems the access token (Meta), the next try comes with a quarter of the time, and so on."""
    meta = replace(policy(window=30 * DAY), token_is_grant=True)
    asked = None if left is None else Asked(left=left, at=NOW)
    known = document(issued_at=NOW, expires_at=NOW + 60 * DAY, **origin(lifetime=60 * DAY, asked=asked))

    assert NOW + 60 * DAY - due_before == due_at(known, meta)


def test_a_grant_that_is_its_access_token_ends_with_it() -> None:
    """With its expiry; where that is not believed, a lifetime after it was stored, as far as one is known."""
    meta = replace(policy(), token_is_grant=True)
    known = document(issued_at=NOW, expires_at=NOW + 60 * DAY, **origin(lifetime=60 * DAY))

    assert GrantEnd(NOW + 60 * DAY, NOW + 53 * DAY, is_idle=True) == grant_end(known, NOW, meta)
    doubted = believed(document(expires_at=NOW + 900 * DAY, **origin(lifetime=60 * DAY)), NOW, meta)
    assert GrantEnd(NOW + 60 * DAY, NOW + 53 * DAY, is_idle=True) == grant_end(doubted, NOW, meta)
    assert None is grant_end(document(expires_at=None), NOW, meta)
    assert None is grant_end(document(accessToken=None), NOW, meta)


@pytest.mark.parametrize("issued_at", [NOW + 300 * DAY, NOW - 300 * DAY])
def test_an_issue_that_can_not_be_hides_no_end(issued_at: datetime) -> None:
    """Neither of a grant that nobody uses, nor one that is stated: nothing is issued after it was stored."""
    idle = replace(KNOWN, idle=30 * DAY)
    stated = origin(lifetime=DAY, grant_began_at=NOW, grant_ends_at=NOW + 20 * HOUR)
    found = believed(document(issued_at=issued_at, expires_at=NOW + DAY, **stated), NOW, idle)

    assert NOW + 20 * HOUR * 2 / 3 == due_at(found, idle)
    without = believed(document(issued_at=issued_at, expires_at=NOW + DAY, **origin(lifetime=DAY)), NOW, idle)
    assert GrantEnd(NOW + 30 * DAY, NOW + 23 * DAY, is_idle=True) == grant_end(without, NOW, idle)
    again = believed(read_document(found.serialize(), needs_refresh_token=True), NOW + 400 * DAY, idle)
    assert again.issued_at == min(issued_at, NOW)


def test_another_job_s_token_loses_no_stated_end() -> None:
    """It writes its own keys: the end that the last refresh moved is still the next."""
    stated = origin(lifetime=DAY, grant_began_at=NOW, grant_ends_at=NOW + 2 * DAY)
    theirs = document(issued_at=NOW, expires_at=NOW + 20 * HOUR + DAY, **stated)

    assert NOW + 2 * DAY * 2 / 3 == due_at(theirs, policy())


def test_a_fraction_of_a_second_loses_no_end() -> None:
    """Another job's expiry has one, in ISO 8601; the times of the grant beside it are whole seconds."""
    half = {"expiresAt": "2026-11-25T12:00:00.500000Z", "issuedAt": "2026-11-24T12:00:00Z"}
    stated = origin(lifetime=DAY, grant_began_at=NOW, grant_ends_at=NOW + 20 * HOUR)

    assert NOW + 20 * HOUR * 2 / 3 == due_at(document(**half, **stated), policy())


@pytest.mark.parametrize("left", [timedelta(0), timedelta(microseconds=1), -HOUR])
def test_a_refresh_in_vain_with_nothing_left(left: timedelta) -> None:
    """A stored value that leaves nothing counts for nothing: the token is due at its window, and no run hangs."""
    known = document(issued_at=NOW, expires_at=NOW + DAY, **origin(lifetime=DAY, asked=Asked(left=left, at=NOW)))

    assert NOW + 16 * HOUR == due_at(known, policy())
