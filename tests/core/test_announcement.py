from datetime import timedelta

import pytest

from builders import DAY, HOUR, NOW, attempt, token_set
from token_refresh.core.announcement import Transition, transition_of_run
from token_refresh.core.attempts import Attempt, Fate, Ledger
from token_refresh.core.snapshot import Snapshot
from token_refresh.stored.origin import ClaimStoreKind, Origin

MINE = "c" * 32
SOON = NOW + timedelta(days=6)
WEEK_BEFORE = SOON - timedelta(days=7)


def after(*attempts: Attempt, ends_at: object = None) -> Snapshot:
    """What a run knew that made the tokens of claim MINE current."""
    made = Origin(host="provider.example", grace=DAY, claim_store=ClaimStoreKind.VERSIONS, claim_id=MINE, number=2)
    fields = made.as_fields() | ({"grant_ends_at": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}"} if ends_at else {})
    current = token_set("v1", refreshToken="refresh-1", tokenRefresh=fields)
    return Snapshot(now=NOW, current=current, ledger=Ledger(attempts))


@pytest.mark.parametrize("mine", [(), (attempt(MINE),), (attempt(MINE, Fate.STORED, claimed_at=NOW),)])
def test_the_run_s_own_attempt_is_not_one_before_it(mine: tuple[Attempt, ...]) -> None:
    """It counts as the run's own, whether the run knew it as stored, which one that recovers does, or not at all."""
    before_the_week = attempt("c1", Fate.STORED, claimed_at=WEEK_BEFORE - HOUR)
    rejected = attempt("c1", Fate.REJECTED)

    assert (Transition.GRANT_ENDING, WEEK_BEFORE) == transition_of_run(
        after(before_the_week, *mine, ends_at=SOON), rejected=False
    )
    assert (Transition.REAUTHORIZED, NOW) == transition_of_run(after(rejected, *mine), rejected=False)


def test_what_brought_no_verdict_is_passed_over() -> None:
    """Attempts that were not sent, or whose outcome nobody knows, stand between a rejection and the new grant."""
    rejected = attempt("c0", Fate.REJECTED)
    between = [attempt("c1", fate) for fate in (Fate.NOT_REDEEMED, Fate.UNKNOWN, Fate.SILENT)]

    assert (Transition.REAUTHORIZED, NOW) == transition_of_run(after(rejected, *between), rejected=False)


def test_the_week_begins_within_a_second() -> None:
    """A refresh whose clock still said the second before, though its claim did not, leaves the event to the next."""
    just_before = attempt("c1", Fate.STORED, claimed_at=WEEK_BEFORE + timedelta(milliseconds=900))
    a_second_later = attempt("c1", Fate.STORED, claimed_at=WEEK_BEFORE + timedelta(seconds=1))

    found = [transition_of_run(after(before, ends_at=SOON), rejected=False) for before in (just_before, a_second_later)]

    assert [(Transition.GRANT_ENDING, WEEK_BEFORE), None] == found


def test_the_week_includes_its_first_moment() -> None:
    """A grant that ends in exactly a week is announced."""
    assert (Transition.GRANT_ENDING, NOW) == transition_of_run(after(ends_at=NOW + timedelta(days=7)), rejected=False)


@pytest.mark.parametrize("token", ["refresh-0", None])
def test_a_rejected_token_is_announced_once(token: str | None) -> None:
    """The first rejection of a token is announced, and no later one; a version 1 claim counts by its version."""
    first, again = (attempt(claim_id, Fate.REJECTED, token=token) for claim_id in ("c1", "c2"))

    found = [
        transition_of_run(Snapshot(now=NOW, current=token_set(), ledger=Ledger(attempts)), rejected=True)
        for attempts in ((first,), (first, again))
    ]

    assert [(Transition.REAUTHORIZATION_REQUIRED, NOW), None] == found


def test_a_first_token_set() -> None:
    """The first refresh of all announces nothing, unless its grant ends within a week."""
    assert None is transition_of_run(after(), rejected=False)
    assert None is transition_of_run(after(ends_at=NOW + timedelta(days=8)), rejected=False)
    assert (Transition.GRANT_ENDING, WEEK_BEFORE) == transition_of_run(after(ends_at=SOON), rejected=False)


def test_a_document_without_origin() -> None:
    """Tokens that say nothing about where they come from have no end that is known."""
    bare = Snapshot(now=NOW, current=token_set("v1"))

    assert None is transition_of_run(bare, rejected=False)
    assert (Transition.REAUTHORIZATION_REQUIRED, NOW) == transition_of_run(bare, rejected=True)
