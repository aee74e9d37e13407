"""The ledger of attempts: which refresh tokens are spent, what followed them, and what is remembered."""

from datetime import timedelta

from builders import DAY, HOUR, MINUTE, NOW, attempt, mark
from token_refresh.core.attempts import REDEMPTIONS_KEPT, Fate, Ledger

T0, T1, T2 = mark("refresh-0"), mark("refresh-1"), mark("refresh-2")
C1 = attempt("c1", token="refresh-0", brought="refresh-1")
C2 = attempt("c2", version_id="v1", token="refresh-1", brought="refresh-2")


def test_a_fingerprint_is_short_and_of_one_token() -> None:
    """22 characters stand for a token; another token has others."""
    assert (22, True) == (len(T0), T0 != T1)


def test_a_spent_token_leads_to_the_newest_that_follows_it() -> None:
    """The chain of redemptions is followed to its end, however many steps `AWSCURRENT` was moved back."""
    ledger = Ledger((C1, C2))

    assert [C2, C2, None] == [ledger.successor(token, "v") for token in (T0, T1, T2)]


def test_the_newest_of_two_successors_is_taken() -> None:
    """A token that was redeemed twice is followed by what it brought last."""
    again = attempt("c3", token="refresh-0", brought="refresh-3")

    assert again == Ledger((C1, again)).successor(T0, "v")


def test_a_token_that_stays_the_same_is_never_spent() -> None:
    """A provider may always return the same refresh token."""
    assert None is Ledger((attempt(brought="refresh-0"),)).successor(T0, "v0")


def test_a_token_that_is_issued_again_is_not_spent() -> None:
    """A provider may return a refresh token that it issued before: what was before that counts no more."""
    back = attempt("c2", token="refresh-1", brought="refresh-0")

    assert None is Ledger((C1, back)).successor(T0, "v0")
    assert None is Ledger((attempt("c0"), C1, back)).first_unresolved(T0, "v0")


def test_an_attempt_of_version_1_counts_on_the_current_version() -> None:
    """Without a fingerprint, the version tells which token it was."""
    old = attempt("c1", token=None, brought="refresh-1")

    assert [old, None] == [Ledger((old,)).successor(T0, version) for version in ("v0", "v1")]


def test_the_first_unresolved_attempt_is_the_oldest_without_an_answer() -> None:
    """Silent and unknown attempts on the token count; rejected ones and those on other tokens don't."""
    others = attempt("c0", token="refresh-9"), attempt("c1", Fate.REJECTED), attempt("c2", Fate.NOT_REDEEMED)
    first = attempt("c3", Fate.UNKNOWN)

    assert first == Ledger((*others, first, attempt("c4"))).first_unresolved(T0, "v0")
    assert None is Ledger(others).first_unresolved(T0, "v0")


def test_a_ledger_keeps_a_day_and_the_last_redemptions_and_the_first_unresolved() -> None:
    """What is older than a day goes, but for what tells spent tokens and what the grace counts from."""
    first = attempt("first", claimed_at=NOW - 9 * DAY)
    redeemed = tuple(attempt(f"r{n}", token=f"t{n}", brought=f"t{n + 1}", claimed_at=NOW - 8 * DAY) for n in range(60))
    failed = attempt("failed", Fate.NOT_REDEEMED, claimed_at=NOW - DAY)
    recent = attempt("recent", Fate.NOT_REDEEMED, claimed_at=NOW - DAY + timedelta(seconds=1))

    kept = Ledger((first, *redeemed, failed, recent)).kept(NOW, T0, "v0")

    assert (first, *redeemed[-REDEMPTIONS_KEPT:], recent) == kept


def test_a_limit_frees_a_place_as_its_oldest_claim_turns_a_day_old() -> None:
    """If more than the limit are in the last day, as many must age as are over it."""
    ledger = Ledger(tuple(attempt(f"c{n}", claimed_at=NOW - DAY + n * MINUTE, forced=n > 2) for n in range(6)))

    assert NOW == ledger.allowed_at(6, NOW)
    assert NOW + MINUTE == ledger.allowed_at(5, NOW)
    assert NOW + 3 * MINUTE == ledger.allowed_at(3, NOW)
    assert NOW == ledger.allowed_at(4, NOW, forced_only=True)
    assert NOW + 3 * MINUTE == ledger.allowed_at(3, NOW, forced_only=True)
    assert NOW == Ledger().allowed_at(1, NOW)


def test_attempts_on_a_version_are_found() -> None:
    """The backoff counts attempts on one version."""
    assert (C2,) == Ledger((C1, C2)).on_version("v1")
    assert NOW - HOUR == C2.claimed_at
