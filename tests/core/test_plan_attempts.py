"""Earlier attempts: a rejected grant, the backoff, the daily limit, and what a claim remembers of them."""

import pytest

from builders import (
    DAY,
    HOUR,
    LIVE,
    MINUTE,
    NOW,
    OVER,
    SINGLE_USE,
    attempt,
    claim,
    entry,
    policy,
    snapshot,
    standing,
    token_set,
)
from token_refresh.core.claims import Redemption
from token_refresh.core.plan import Append, Reason, Stop, Wait, plan
from token_refresh.core.schedule import CLAIMS_A_DAY
from token_refresh.core.versions import claim_version_id


def test_a_rejected_grant_stops_every_run() -> None:
    """After `invalid_grant` nothing is sent for that version again, due or not."""
    rejected = attempt(OVER, recorded=Redemption.REJECTED)
    found = snapshot(newest=OVER, ended=True, attempts=(rejected,))

    assert Stop(rejected.record) == plan(found, standing(), policy())  # type: ignore[arg-type]  # it has a record


def test_force_tries_a_rejected_grant_again() -> None:
    """A person who knows better may force an attempt on a rejected grant."""
    found = snapshot(newest=OVER, ended=True, attempts=(attempt(OVER, recorded=Redemption.REJECTED),))

    assert isinstance(plan(found, standing(forced_version="v0"), policy()), Append)


def test_a_rejection_is_not_the_last_word_where_a_later_attempt_ended_otherwise() -> None:
    """Only the newest attempt on the version counts: a forced one after the rejection may have shown otherwise."""
    attempts = (
        attempt(entry("c1", attempt=1), recorded=Redemption.REJECTED),
        attempt(entry("c2", attempt=2, claimed_at=NOW - DAY), recorded=Redemption.NOT_REDEEMED),
    )

    assert isinstance(plan(snapshot(newest=OVER, attempts=attempts), standing(), policy()), Append)


def test_a_new_version_clears_a_rejection() -> None:
    """Re-authorization stores a new version, against which nothing is recorded."""
    found = snapshot(current=token_set("v1"), newest=OVER, ended=True)

    assert isinstance(plan(found, standing(), policy()), Append)


def test_the_second_attempt_follows_at_once() -> None:
    """One failure is no reason to wait: the next run tries again."""
    found = snapshot(newest=LIVE, ended=True, attempts=(attempt(LIVE, recorded=Redemption.NOT_REDEEMED),))

    step = plan(found, standing(), policy())

    assert isinstance(step, Append)
    assert 2 == step.claim.attempt


def test_the_third_attempt_waits() -> None:
    """From the third attempt on a run yields until the backoff is over, unless it is forced."""
    newest = claim("c2", attempt=2, claimed_at=NOW - MINUTE, earlier=(entry("c1"),))
    attempts = (
        attempt(entry("c1"), recorded=Redemption.NOT_REDEEMED),
        attempt(newest, recorded=Redemption.NOT_REDEEMED),
    )
    found = snapshot(newest=newest, ended=True, attempts=attempts)
    later = snapshot(newest=newest, ended=True, attempts=attempts, now=NOW + MINUTE)

    assert Wait(NOW + MINUTE, Reason.BACKOFF) == plan(found, standing(), policy())
    assert isinstance(plan(found, standing(forced_version="v0"), policy()), Append)
    assert isinstance(plan(later, standing(), policy()), Append)


@pytest.mark.parametrize("forced_version", [None, "v0"])
def test_the_daily_limit_holds_off_even_a_forced_run(forced_version: str | None) -> None:
    """A full secret would refuse tokens after their redemption: past 70 claims a day nothing is claimed."""
    earlier = tuple(entry(f"c{n}", version_id="x", claimed_at=NOW - 2 * HOUR) for n in range(CLAIMS_A_DAY - 1))
    found = snapshot(newest=claim("last", version_id="x", earlier=earlier), ended=True)

    step = plan(found, standing(forced_version=forced_version), policy())

    assert Wait(NOW + 22 * HOUR, Reason.DAILY_LIMIT) == step


def test_attempts_are_counted_on_the_version_over_the_whole_list() -> None:
    """Claims on another version in between do not start the count of attempts anew."""
    earlier = (entry("c1", attempt=4, claimed_at=NOW - 3 * HOUR), entry("c2", version_id="other"))
    newest = claim("c3", version_id="other", attempt=2, claimed_at=NOW - HOUR, earlier=earlier)
    attempts = (attempt(earlier[0], recorded=Redemption.NOT_REDEEMED),)

    step = plan(snapshot(newest=newest, ended=True, attempts=attempts), standing(), policy())

    assert isinstance(step, Append)
    assert (5, claim_version_id("c3")) == (step.claim.attempt, step.claim.claim_id)
    assert ["c1", "c2", "c3"] == [e.claim_id for e in step.claim.earlier]


def test_a_claim_forgets_what_is_older_than_a_day() -> None:
    """The list of earlier claims stays small however long a provider is down."""
    old = entry("c1", attempt=1, claimed_at=NOW - DAY)
    kept = entry("c2", attempt=2, claimed_at=NOW - DAY + MINUTE)
    newest = claim("c3", attempt=3, claimed_at=NOW - 2 * HOUR, earlier=(old, kept))
    attempts = tuple(attempt(e, recorded=Redemption.NOT_REDEEMED) for e in newest.chain)

    step = plan(snapshot(newest=newest, ended=True, attempts=attempts), standing(), policy())

    assert isinstance(step, Append)
    assert (4, ["c2", "c3"]) == (step.claim.attempt, [e.claim_id for e in step.claim.earlier])


def test_a_claim_remembers_the_first_attempt_that_may_have_redeemed() -> None:
    """However old, the first unknown outcome on the version is kept: its age decides whether a repeat is safe."""
    first = entry("c1", attempt=1, claimed_at=NOW - 3 * DAY)
    second = entry("c2", attempt=2, claimed_at=NOW - 2 * DAY)
    newest = claim("c3", attempt=3, claimed_at=NOW - 2 * HOUR, earlier=(first, second))
    attempts = tuple(attempt(e) for e in newest.chain)

    step = plan(snapshot(newest=newest, attempts=attempts), standing(), SINGLE_USE)

    assert isinstance(step, Append)
    assert ["c1", "c3"] == [e.claim_id for e in step.claim.earlier]
