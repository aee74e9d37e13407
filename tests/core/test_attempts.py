from dataclasses import replace
from datetime import datetime, timedelta

from testbed.builders import DAY, HOUR, MINUTE, NOW, attempt, mark
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import (
    LONG_AGO,
    MOST_REDEMPTIONS,
    Attempt,
    Fate,
    Ledger,
    dated,
    fingerprint_of,
    missing_attempts,
    stand_in,
)

TOKEN = mark("refresh-0")


def ids(attempts: tuple[Attempt, ...]) -> list[str]:
    return [a.claim_id for a in attempts]


def test_a_fingerprint_tells_tokens_apart_and_never_changes() -> None:
    """It is the beginning of a digest with a prefix of its own: two releases must agree on it."""
    assert "8UV7OXI4p3i3-wBS2bAcWT" == fingerprint_of(SecretValue("refresh-0"))
    assert "yR12yng-HMXsD0gcMw8YAK" == stand_in("v0")
    assert fingerprint_of(SecretValue("refresh-0")) != fingerprint_of(SecretValue("refresh-1"))


def test_attempts_on_a_token_begin_with_its_last_issue() -> None:
    """A provider may return a token that it issued before: what came before that says nothing about it."""
    ledger = Ledger(
        (
            attempt("old"),
            attempt("issue", token="other", brought="refresh-0"),
            attempt("new"),
            attempt("else", token="x"),
        )
    )

    assert ["new"] == ids(ledger.on_token(TOKEN))


def test_the_grace_counts_from_the_first_unresolved_attempt() -> None:
    """Later attempts, and those that ended otherwise, change nothing."""
    ledger = Ledger((attempt("a", Fate.NOT_REDEEMED), attempt("b", Fate.UNKNOWN), attempt("c", Fate.NO_RESULT)))

    first = next(iter(ledger.unresolved(TOKEN)), None)

    assert first is not None
    assert "b" == first.claim_id
    assert () == Ledger((attempt("a", Fate.REJECTED),)).unresolved(TOKEN)


def test_a_used_token_leads_to_its_newest_successor() -> None:
    """Links are followed to the end, the newest first."""
    ledger = Ledger(
        (
            attempt("a", brought="refresh-1"),
            attempt("b", token="refresh-1", brought="wrong"),
            attempt("c", token="refresh-1", brought="refresh-2"),
            attempt("d", token="refresh-2", brought="refresh-3"),
            attempt("of another token", token="x", brought="y"),
            attempt("e", Fate.UNKNOWN, token="refresh-3"),
        )
    )

    last = ledger.successor(TOKEN)

    assert last is not None
    assert "d" == last.claim_id


def test_a_token_that_returns_itself_is_not_used() -> None:
    """A provider that always sends the same refresh token uses up none."""
    assert Ledger((attempt("a", brought="refresh-0"),)).successor(TOKEN) is None
    assert Ledger((attempt("a", Fate.STORED),)).successor(TOKEN) is None
    assert Ledger((attempt("a", Fate.REJECTED),)).successor(TOKEN) is None


def test_a_ledger_keeps_what_still_matters() -> None:
    """The last day, the last fifty redemptions, and the first unresolved attempt on the current token."""
    long_ago = NOW - 30 * DAY
    redemptions = tuple(
        attempt(f"r{n}", token=f"t{n}", brought=f"t{n + 1}", claimed_at=long_ago) for n in range(MOST_REDEMPTIONS + 1)
    )
    ledger = Ledger(
        (
            attempt("unresolved", Fate.UNKNOWN, claimed_at=long_ago),
            attempt("unresolved, and not the first", Fate.UNKNOWN, claimed_at=long_ago),
            attempt("unsent, old", Fate.NOT_REDEEMED, claimed_at=NOW - DAY),
            *redemptions,
            attempt("unsent, young", Fate.NOT_REDEEMED, claimed_at=NOW - DAY + MINUTE),
        )
    )

    kept = ids(ledger.for_next_claim(NOW, TOKEN))

    assert ["unresolved", *(f"r{n}" for n in range(1, MOST_REDEMPTIONS + 1)), "unsent, young"] == kept


def test_an_attempt_of_the_future_has_no_date() -> None:
    """Nor anything to wait for; one of this moment has both."""
    now, ahead = (attempt(claimed_at=NOW + late, retry_at=NOW + HOUR) for late in (timedelta(0), timedelta(seconds=1)))

    assert now == dated(now, NOW)
    assert replace(ahead, claimed_at=LONG_AGO, retry_at=None) == dated(ahead, NOW)


def test_a_token_that_a_full_ledger_does_not_name_may_be_forgotten() -> None:
    """It names fifty redemptions: an older token may have been used before, one of them or a newer one was not."""
    full = tuple(attempt(f"r{n}", token=f"t{n}", brought=f"t{n + 1}", claimed_at=NOW) for n in range(MOST_REDEMPTIONS))

    assert Ledger(full).has_forgotten(mark("old"), NOW - HOUR)
    assert not Ledger(full[1:]).has_forgotten(mark("old"), NOW - HOUR)
    assert not Ledger(full).has_forgotten(mark("t0"), NOW - HOUR)
    assert not Ledger(full).has_forgotten(mark("old"), NOW)


def test_after_a_gap_a_token_may_be_forgotten_unless_a_later_attempt_names_it() -> None:
    """What stands before the gap says nothing about what is missing there."""
    ledger = Ledger((attempt("a", token="before"), missing_attempts("g"), attempt("b", token="after", claimed_at=NOW)))

    assert (Fate.STORED, 0) == (missing_attempts("g").fate, missing_attempts("g").versions)
    assert [True, False] == [ledger.has_forgotten(mark(token), NOW - HOUR) for token in ("before", "after")]


def claims_at(*moments: datetime, forced: bool = False) -> Ledger:
    return Ledger(tuple(attempt(f"c{n}", claimed_at=moment, forced=forced) for n, moment in enumerate(moments)))


def test_a_full_day_waits_for_its_first_claim_to_age() -> None:
    """With room for three claims a day, the fourth waits until the first is 24 hours old."""
    spread = [NOW - DAY + timedelta(minutes=n) for n in (1, 2, 3)]

    assert NOW + MINUTE == claims_at(*spread).room_at(4, NOW)
    assert NOW == claims_at(*spread[1:]).room_at(4, NOW)
    assert NOW + MINUTE == claims_at(*spread).room_at(4, NOW + MINUTE)
    assert NOW == Ledger().room_at(4, NOW)
    assert NOW == claims_at(NOW - DAY).room_at(0, NOW)


def test_more_claims_than_the_limit_wait_for_enough_of_them_to_age() -> None:
    """Two over the limit, so three have to age; the order in the ledger says nothing."""
    spread = [NOW - DAY + timedelta(minutes=n) for n in (5, 1, 2, 3, 4)]

    assert NOW + 3 * MINUTE == claims_at(*spread).room_at(4, NOW)


def test_claims_take_as_many_versions_as_their_claim_store_needed() -> None:
    """After a move, claims of both stores count for what they stored in the secret."""
    old, new = attempt("in versions", claimed_at=NOW - 2 * HOUR), attempt("in a table", claimed_at=NOW - HOUR)
    ledger = Ledger((old, replace(new, versions=1)))

    assert NOW == ledger.room_at(3, NOW)
    assert NOW + 22 * HOUR == ledger.room_at(2, NOW)
    assert NOW + 23 * HOUR == ledger.room_at(0, NOW)


def test_a_limit_of_forced_claims_counts_forced_ones_alone() -> None:
    """Scheduled claims don't use up what may be forced."""
    scheduled = claims_at(NOW - HOUR, NOW - MINUTE)
    forced = claims_at(NOW - HOUR, NOW - MINUTE, forced=True)

    assert NOW == scheduled.forced_again_at(2, NOW)
    assert NOW + 23 * HOUR == forced.forced_again_at(2, NOW)
