from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from testbed.builders import DAY, HOUR, NOW, attempt, token_set
from token_refresh_worker.core.announcement import Transition, transition_of_run
from token_refresh_worker.core.attempts import Attempt, Fate, Ledger
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.stored.origin import IN_VERSIONS, Origin

MINE = "c" * 32
SOON = NOW + timedelta(days=6)
WEEK_BEFORE = SOON - timedelta(days=7)


def issued(at: datetime, ends_at: datetime | None = None, **changes: Any) -> TokenSet:
    """Tokens of claim MINE, whose grant ends then."""
    made = Origin(
        host="provider.example", grace=DAY, claim_store=IN_VERSIONS, claim_id=MINE, number=2, grant_ends_at=ends_at
    )
    return token_set("v1", tokenRefresh=made.as_fields(), issuedAt=int(at.timestamp() * 1000), **changes)


def after(*attempts: Attempt, ends_at: datetime | None = None) -> Snapshot:
    """What a run knew that made the tokens of claim MINE current."""
    return Snapshot(now=NOW, current=issued(NOW, ends_at, refreshToken="refresh-1"), ledger=Ledger(attempts))


@pytest.mark.parametrize("mine", [(), (attempt(MINE),), (attempt(MINE, Fate.STORED, claimed_at=NOW),)])
def test_the_run_s_own_attempt_is_not_one_before_it(mine: tuple[Attempt, ...]) -> None:
    """It counts as the run's own, whether the run knew it as stored, which one that recovers does, or not at all."""
    rejected = attempt("c1", Fate.REJECTED)

    assert (Transition.REAUTHORIZED, NOW) == transition_of_run(after(rejected, *mine), rejected=False)


def test_what_brought_no_verdict_is_passed_over() -> None:
    """Attempts that were not sent, or whose outcome nobody knows, stand between a rejection and the new grant."""
    rejected = attempt("c0", Fate.REJECTED)
    between = [attempt("c1", fate) for fate in (Fate.NOT_REDEEMED, Fate.UNKNOWN, Fate.NO_RESULT)]

    assert (Transition.REAUTHORIZED, NOW) == transition_of_run(after(rejected, *between), rejected=False)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), HOUR])
def test_the_week_begins_once(late: timedelta) -> None:
    """Of three refreshes the first one in the week announces it, and none before or after, however near they are."""
    times = [WEEK_BEFORE - timedelta(seconds=1), WEEK_BEFORE + late, WEEK_BEFORE + late + timedelta(seconds=1)]
    sets = [issued(WEEK_BEFORE - DAY, SOON), *(issued(at, SOON) for at in times)]

    found = [
        transition_of_run(Snapshot(now=NOW, current=current), rejected=False, replaced=replaced)
        for replaced, current in pairwise(sets)
    ]

    assert [None, (Transition.GRANT_ENDING, WEEK_BEFORE), None] == found


def test_a_rejected_token_is_announced_once() -> None:
    """The first rejection of a token is announced, and no later one."""
    first, again = (attempt(claim_id, Fate.REJECTED) for claim_id in ("c1", "c2"))

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
