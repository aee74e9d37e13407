from datetime import timedelta
from typing import Any

import pytest

from builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    attempt,
    claim,
    entry,
    policy,
    snapshot,
    standing,
    token_set,
)
from token_refresh.core.claims import Redemption
from token_refresh.core.plan import (
    Append,
    Carry,
    Fresh,
    Hold,
    Promote,
    Publish,
    Reason,
    Redeem,
    Release,
    Stop,
    Tidy,
    Wait,
    plan,
)
from token_refresh.core.schedule import CLAIMS_A_DAY
from token_refresh.core.snapshot import Spent, TokenSet
from token_refresh.core.versions import claim_version_id, published_version_id

SINGLE_USE = policy(grace=timedelta(0))
FRESH = token_set(expires_at=NOW + DAY, issued_at=NOW)
STAGED = token_set("staged", labels=frozenset({"AWSPENDING"}), expires_at=NOW + DAY, issued_at=NOW)
LIVE = claim(claimed_at=NOW - MINUTE)
OVER = claim(claimed_at=NOW - HOUR)


def test_a_due_secret_without_claims_is_claimed() -> None:
    """The first claim names the current version, as its first attempt, and follows the root."""
    step = plan(snapshot(), standing(), policy(ttl=3 * MINUTE))

    assert Append(claim(claim_version_id(None), claimed_at=NOW, time_to_live=3 * MINUTE)) == step


def test_a_token_set_that_is_not_due_is_fresh() -> None:
    """Nothing is done before the refresh window begins."""
    assert Fresh() == plan(snapshot(current=FRESH), standing(), policy())


def test_it_is_due_from_the_first_moment_of_the_window() -> None:
    """A moment before the window a token set is fresh, and at its start it is due."""
    at = NOW + 16 * HOUR

    assert Fresh() == plan(snapshot(current=FRESH, now=at - timedelta(seconds=1)), standing(), policy())
    assert isinstance(plan(snapshot(current=FRESH, now=at), standing(), policy()), Append)


def test_force_refreshes_what_is_not_due() -> None:
    """A forced run claims although nothing is due."""
    assert isinstance(plan(snapshot(current=FRESH), standing(forced_version="v0"), policy()), Append)


def test_forced_means_once() -> None:
    """Where another version is current than when the forced run began, there is nothing left to force."""
    assert Fresh() == plan(snapshot(current=FRESH), standing(forced_version="before"), policy())


@pytest.mark.parametrize("current", [token_set(), FRESH])
def test_staged_tokens_are_promoted_before_all_else(current: TokenSet) -> None:
    """Tokens under a claim on the current version are promoted, due or not, live claim or not."""
    found = snapshot(current=current, newest=LIVE, ended=True, attempts=(attempt(LIVE, staged=STAGED),))

    assert Promote(STAGED) == plan(found, standing(), policy())


def test_the_newest_staged_tokens_are_promoted() -> None:
    """Where two attempts brought tokens, those of the later one are current in the end."""
    older = token_set("older", labels=frozenset())
    attempts = (attempt(entry("c1"), staged=older), attempt(entry("c2"), staged=STAGED), attempt(entry("c3")))

    assert Promote(STAGED) == plan(snapshot(newest=OVER, attempts=attempts), standing(), policy())


def test_tokens_for_a_spent_refresh_token_are_carried_onto_the_edited_copy() -> None:
    """An edited copy that holds a spent refresh token gets the tokens that were received for it, before all else."""
    spent = Spent(claim=entry(), staged=STAGED, carried=None)

    assert Carry(spent) == plan(snapshot(newest=LIVE, spent=spent), standing(), policy())


def test_carried_tokens_are_promoted() -> None:
    """Tokens that were carried and not promoted are promoted: a crash in between needs no code."""
    carried = token_set("carried", labels=frozenset({"AWSPENDING"}))
    spent = Spent(claim=entry(), staged=STAGED, carried=carried)

    assert Promote(carried) == plan(snapshot(newest=LIVE, spent=spent), standing(), policy())


def test_a_label_left_on_the_current_version_is_taken_off() -> None:
    """AWSPENDING on the current version is what a run left that died between promotion and tidying."""
    left = token_set(labels=frozenset({"AWSCURRENT", "AWSPENDING"}), expires_at=NOW + DAY)

    assert Tidy() == plan(snapshot(current=left), standing(), policy())
    assert Fresh() == plan(snapshot(current=left), standing(tidies=False), policy())


@pytest.mark.parametrize("shown", [None, published_version_id("older")])
def test_a_published_copy_that_lags_is_brought_up_to_date(shown: str | None) -> None:
    """A published copy of another version, or none, is published before the run rests."""
    assert Publish() == plan(snapshot(current=FRESH, published=shown), standing(publishes=True), policy())


def test_a_published_copy_of_the_current_version_is_left_alone() -> None:
    """A copy that shows the current version needs nothing."""
    found = snapshot(current=FRESH, published=published_version_id("v0"))

    assert Fresh() == plan(found, standing(publishes=True), policy())


@pytest.mark.parametrize("changes", [{"accessToken": None}, {"expires_at": None}])
def test_an_incomplete_token_set_is_not_published(changes: dict[str, Any]) -> None:
    """Without an access token or an expiry there is nothing that a consumer could use."""
    found = snapshot(current=token_set(**changes))

    assert isinstance(plan(found, standing(publishes=True), policy()), Append)


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


def test_our_own_live_claim_lets_us_redeem() -> None:
    """Only the run that appended the claim redeems under it."""
    found = snapshot(newest=LIVE, attempts=(attempt(LIVE),))

    assert Redeem(LIVE) == plan(found, standing(claim_id="c1"), policy())
    assert Wait(LIVE.ends_at, Reason.CLAIMED) == plan(found, standing(), policy())


@pytest.mark.parametrize("forced_version", [None, "v0"])
def test_another_run_s_live_claim_is_waited_for_on_whichever_version(forced_version: str | None) -> None:
    """A live claim holds off every run, forced or not, also where it is on another version."""
    elsewhere = claim(version_id="other", claimed_at=NOW - MINUTE)

    step = plan(snapshot(newest=elsewhere), standing(forced_version=forced_version), policy())

    assert Wait(NOW + MINUTE, Reason.CLAIMED) == step


def test_a_claim_is_over_at_the_end_of_its_time_to_live() -> None:
    """A claim holds off others up to its end, and no moment longer."""
    found = snapshot(newest=LIVE, attempts=(attempt(LIVE),), now=LIVE.ends_at - timedelta(seconds=1))
    over = snapshot(newest=LIVE, attempts=(attempt(LIVE),), now=LIVE.ends_at)

    assert Wait(LIVE.ends_at, Reason.CLAIMED) == plan(found, standing(), policy())
    assert isinstance(plan(over, standing(), policy()), Append)


def test_a_claim_that_ended_early_holds_off_nobody() -> None:
    """Staged tokens or a record end a claim before its time to live does."""
    elsewhere = claim(version_id="other", claimed_at=NOW - MINUTE)

    assert isinstance(plan(snapshot(newest=elsewhere, ended=True), standing(), policy()), Append)


def test_our_own_claim_is_released_where_its_version_is_not_current_any_more() -> None:
    """A version that appeared between read and claim wins, and what we claimed is not redeemed."""
    ours = claim(version_id="before", claimed_at=NOW)

    assert Release(ours) == plan(snapshot(newest=ours), standing(claim_id="c1"), policy())


def test_our_own_claim_is_released_where_it_is_used_up() -> None:
    """A run that was held up for longer than its claim lives does not redeem under it."""
    found = snapshot(newest=LIVE, attempts=(attempt(LIVE),), now=LIVE.ends_at)

    assert Release(LIVE) == plan(found, standing(claim_id="c1"), policy())


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


@pytest.mark.parametrize("recorded", [None, Redemption.UNKNOWN])
def test_an_unknown_outcome_holds_a_single_use_token_back(recorded: Redemption | None) -> None:
    """Where a replay could cost the grant, nothing is sent until the last quarter of the window."""
    due = token_set(expires_at=NOW + 7 * HOUR, issued_at=NOW - 17 * HOUR)
    found = snapshot(current=due, newest=OVER, attempts=(attempt(OVER, recorded=recorded),))

    assert Hold(OVER.claimed_at, NOW + 5 * HOUR) == plan(found, standing(), SINGLE_USE)
    assert isinstance(plan(found, standing(forced_version="v0"), SINGLE_USE), Append)


def test_a_hold_holds_where_the_clock_has_not_yet_reached_the_claim() -> None:
    """A service that tells the time in whole seconds may seem to answer before the claim; that is no grace period."""
    just_now = claim(claimed_at=NOW + timedelta(milliseconds=900))
    due = token_set(expires_at=NOW + 7 * HOUR, issued_at=NOW - 17 * HOUR)
    unknown = attempt(just_now, recorded=Redemption.UNKNOWN)
    found = snapshot(current=due, newest=just_now, ended=True, attempts=(unknown,))

    assert isinstance(plan(found, standing(), SINGLE_USE), Hold)


def test_a_hold_ends_with_the_last_quarter_of_the_window() -> None:
    """Shortly before the access token expires there is little left to lose, and the attempt is made."""
    due = token_set(expires_at=NOW + 2 * HOUR, issued_at=NOW - 22 * HOUR)
    found = snapshot(current=due, newest=OVER, attempts=(attempt(OVER),))

    assert isinstance(plan(found, standing(), SINGLE_USE), Append)


def test_a_hold_keeps_alarming_through_a_backoff() -> None:
    """In the last quarter a held refresh backs off like any other, and raises instead of yielding."""
    newest = claim("c3", attempt=3, claimed_at=NOW - 3 * MINUTE)
    due = token_set(expires_at=NOW + HOUR, issued_at=NOW - 23 * HOUR)
    found = snapshot(current=due, newest=newest, ended=True, attempts=(attempt(newest, recorded=Redemption.UNKNOWN),))

    assert Hold(newest.claimed_at, NOW + MINUTE) == plan(found, standing(), SINGLE_USE)


def test_a_hold_waits_for_the_daily_limit_too() -> None:
    """A hold names the moment at which an attempt is possible in every respect."""
    earlier = tuple(
        entry(f"c{n}", version_id="x", claimed_at=NOW - 23 * HOUR + n * MINUTE) for n in range(CLAIMS_A_DAY - 1)
    )
    newest = claim("last", claimed_at=NOW - HOUR, earlier=earlier)
    found = snapshot(current=token_set(expires_at=NOW), newest=newest, attempts=(attempt(newest),))

    assert Hold(newest.claimed_at, NOW + HOUR) == plan(found, standing(), SINGLE_USE)


def test_a_token_set_without_an_expiry_has_nothing_to_hold_for() -> None:
    """Where no access token is in use, a replay costs nothing that consumers have."""
    found = snapshot(current=token_set(accessToken=None), newest=OVER, attempts=(attempt(OVER),))

    assert isinstance(plan(found, standing(), SINGLE_USE), Append)


def test_within_the_provider_s_grace_an_unknown_outcome_is_repeated() -> None:
    """A lost answer is asked for again as long as the provider still accepts the refresh token."""
    found = snapshot(newest=OVER, attempts=(attempt(OVER),))

    assert isinstance(plan(found, standing(), policy(grace=2 * HOUR)), Append)


def test_the_grace_counts_from_the_first_unknown_attempt() -> None:
    """Once the grace since the first attempt that may have redeemed is over, a repeat could cost the grant."""
    first = entry("c1", claimed_at=NOW - 2 * HOUR)
    newest = claim("c2", attempt=2, claimed_at=NOW - HOUR, earlier=(first,))
    due = token_set(expires_at=NOW + 7 * HOUR)
    found = snapshot(current=due, newest=newest, attempts=(attempt(first), attempt(newest)))

    assert isinstance(plan(found, standing(), policy(grace=2 * HOUR + MINUTE)), Append)
    assert Hold(first.claimed_at, NOW + 5 * HOUR) == plan(found, standing(), policy(grace=2 * HOUR))


def test_attempts_that_redeemed_nothing_hold_nothing() -> None:
    """A recorded `not_redeemed` is as good as no attempt, where a single-use token is concerned."""
    found = snapshot(newest=OVER, ended=True, attempts=(attempt(OVER, recorded=Redemption.NOT_REDEEMED),))

    assert isinstance(plan(found, standing(), SINGLE_USE), Append)


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
