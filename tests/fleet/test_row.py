"""What a row says of its secret at a time, and what is tried early."""

from datetime import timedelta

import pytest

from fleet.rows import WINDOW, arn, failed, pause, row, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Fleet
from token_refresh_worker.fleet.core.repair import tried_early
from token_refresh_worker.fleet.core.row import LastRun, Pauses, Row, State, is_due, state_of

NOBODY = Pauses()


HELD, NEVER_DUE = seen(state=State.HELD), seen(due_at=None, expires_at=None)
PERSON = (State.REAUTHORIZE, State.EMPTY, State.ERROR)


@pytest.mark.parametrize(
    ("member", "after", "state"),
    [
        (row(), -MINUTE, State.HEALTHY),
        (row(), 0 * MINUTE, State.DUE),
        (row(), WINDOW / 2 - MINUTE, State.DUE),
        (row(), WINDOW / 2, State.OVERDUE),
        (row(found=HELD), 0 * MINUTE, State.HELD),
        (row(found=HELD), WINDOW / 2, State.OVERDUE),
        (row(new=True), 0 * MINUTE, State.DUE),
        (row(found=NEVER_DUE), 0 * MINUTE, State.DUE),
        *((row(found=seen(state=state)), HOUR, state) for state in PERSON),
    ],
)
def test_state_follows_from_the_time(member: Row, after: timedelta, state: State) -> None:
    """A secret is healthy until it is due, and overdue once half of its window is used up; what never reported is due.

    What waits for a person is never counted as due or overdue.
    """
    assert state is state_of(member, NOBODY, NOW + after)


@pytest.mark.parametrize(("days", "state"), [(31, State.PAUSED), (32, State.DUE)])
def test_no_pause_is_for_good(days: int, state: State) -> None:
    """A pause that ends later than the longest one may is a broken row, and pauses nothing."""
    assert state is state_of(row(pause=pause(timedelta(days=days))), NOBODY, NOW)


def test_marks_of_the_window() -> None:
    """Half of the window and its last quarter are counted back from the expiry; without one there are none.

    Tokens that were asked for in vain are due after that: they are late when half of what was left then is over.
    """
    assert (NOW + WINDOW / 2, NOW + WINDOW * 3 / 4) == (row().half_window_at, row().tokens.last_quarter_at)
    assert row(new=True).half_window_at is None
    assert row(new=True).tokens.expires_at is None
    assert row(found=seen(due_at=None)).tokens.last_quarter_at is None
    assert row(found=seen(expires_at=None)).tokens.last_quarter_at is None
    assert row(found=seen(expires_at=None)).half_window_at is None
    assert NOW + WINDOW * 9 / 10 == row(found=seen(due_at=NOW + WINDOW * 4 / 5)).half_window_at


def test_no_row_sleeps_through_its_last_quarter() -> None:
    """A `next_at` that is wrong by a day costs no token: the secret is due once its window's last quarter begins.

    It is looked at once for that, and what the run writes then counts.
    """
    quarter = NOW + WINDOW * 3 / 4
    wrong = row(next_at=NOW + 23 * HOUR)

    assert [False, True] == [is_due(wrong, now) for now in (quarter - MINUTE, quarter)]
    assert not is_due(row(next_at=NOW + 23 * HOUR, found=seen(at=quarter)), quarter + MINUTE)
    unread = row(next_at=NOW + HOUR, found=seen(due_at=None, expires_at=None))
    assert [False, True] == [is_due(unread, now) for now in (NOW, NOW + 23 * HOUR)], "once a day"
    assert is_due(row(new=True, next_at=NOW + 23 * HOUR), NOW), "never read"


LATER = NOW + HOUR
LONG_AGO = NOW - HOUR / 2


def failing(count: int, error_type: str, *, at: timedelta = HOUR / 2, provider: str = "xero") -> list[Row]:
    """Secrets that wait for an hour."""
    found = failed(error_type, at=NOW - at, requests=0)
    return [row(f"{error_type}/{n}", provider=provider, next_at=LATER, found=found) for n in range(count)]


def mended(error_type: str, *, at: timedelta = MINUTE) -> Row:
    found = seen(at=NOW - at)
    known = {name: getattr(found, name) for name in LastRun.__dataclass_fields__}
    return row("mended", next_at=LATER, found=LastRun(**known | {"mended": error_type, "mended_at": NOW - at}))


def test_one_of_each_cause_is_tried_by_lot() -> None:
    """Each minute one secret of each cause that AWS names is tried early, and over time not always the same."""
    rows = [*failing(5, "SecretAccessDenied"), *failing(5, "TokensKept"), *failing(5, "InvalidSecretDocument")]

    early = [sorted(arn.rpartition(":")[2].partition("/")[0] for arn in tried_early(rows, NOW))]
    drawn = {arn for minute in range(20) for arn in tried_early(rows, NOW + minute * MINUTE)}

    assert [["SecretAccessDenied", "TokensKept"]] == early
    assert 6 < len(drawn)


@pytest.mark.parametrize("error_type", ["SecretAccessDenied", "TokensKept", "ConfigurationError", "TableUnavailable"])
def test_a_success_tries_the_others(error_type: str) -> None:
    """A success after an error makes everything due that failed with the same error before it, and nothing else."""
    rows = [mended(error_type), *failing(5, error_type), *failing(5, "InvalidSecretDocument")]

    assert {each.secret_arn for each in rows[1:6]} == tried_early(rows, NOW)


def test_each_is_tried_every_five_minutes() -> None:
    """What failed within five minutes, or since the success, waits; an old success says nothing."""
    short = failing(5, "ConfigurationError", at=4 * MINUTE)
    since = [mended("ConfigurationError", at=6 * MINUTE), *failing(5, "ConfigurationError", at=5.5 * MINUTE)]
    old = [mended("ConfigurationError", at=10 * MINUTE), *failing(5, "ConfigurationError")]

    assert [set()] * 3 == [tried_early(rows, NOW) for rows in ([mended("ConfigurationError"), *short], since, old)]


def test_a_providers_error_is_its_own() -> None:
    """A provider that takes the client again says nothing about another provider."""
    ours, theirs = (failing(2, "ClientRejected", provider=name) for name in ("xero", "hubspot"))

    early = tried_early([mended("ClientRejected"), *ours, *theirs], NOW)
    assert {each.secret_arn for each in ours} == early


def test_a_host_that_does_not_respond_has_its_own_rules() -> None:
    """What failed at a provider that is away is left to its breaker, and its backoff of ten minutes."""
    rows = [mended("TokenEndpointUnavailable"), *failing(5, "TokenEndpointUnavailable")]

    assert set() == tried_early(rows, NOW)


def test_what_is_tried_early_is_handed_out() -> None:
    """The dispatcher hands out what is to be tried, long before it is due."""
    rows = [mended("ConfigurationError"), *failing(3, "ConfigurationError")]

    sent = {message.secret_arn for message in decide(Fleet(rows=rows), NOW).messages}
    assert {arn(f"ConfigurationError/{n}") for n in range(3)} == sent
