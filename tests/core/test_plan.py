"""The rules, one after the other: what each makes of what is stored. The first that matches decides."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, IN_TABLE, MINUTE, NOW, SINGLE_USE, attempt, claim, origin, policy, snapshot, token_set
from token_refresh.core.attempts import Fate
from token_refresh.core.plan import LOST_CLAIMS, RULES, STALENESS, plan
from token_refresh.core.schedule import CLAIMS_A_DAY, FORCED_CLAIMS_A_DAY
from token_refresh.core.snapshot import PublishedCopy, RunState
from token_refresh.core.steps import (
    Carry,
    Fresh,
    Hold,
    Mismatch,
    Promote,
    Publish,
    Reason,
    Redeem,
    Rejected,
    ReplaceLostTable,
    Spent,
    Wait,
)
from token_refresh.core.versions import claim_version_id, published_version_id, unheld_claim_id
from token_refresh.stored.origin import ClaimStoreKind

SCHEDULED = RunState(nonce="nonce")
FORCED = RunState(forced_version="v0", nonce="nonce")
PUBLISHING = RunState(publishes=True)
FRESH = token_set(expires_at=NOW + DAY)
SUCCESSOR = token_set("v1", refreshToken="refresh-1")
STORED = claim(brought="refresh-1")


def test_there_are_no_more_rules_than_before() -> None:
    """Version 1 had eleven rules; each of these says why it is there."""
    assert 11 == len(RULES)
    assert all(rule.reason for rule in RULES)


def test_stored_tokens_are_made_current() -> None:
    """Tokens that follow from a claim on the current version are promoted, due or not."""
    assert Promote(SUCCESSOR) == plan(snapshot(STORED, current=FRESH, successor=SUCCESSOR), SCHEDULED, policy())


def test_stored_tokens_are_carried_onto_an_edited_copy() -> None:
    """If the current version is a copy with the same spent token, the tokens are staged on top of it."""
    copy = token_set("copy", expires_at=NOW + DAY)

    assert Carry(SUCCESSOR, "c1") == plan(snapshot(STORED, current=copy, successor=SUCCESSOR), SCHEDULED, policy())


def test_a_spent_token_without_its_successor_is_not_sent() -> None:
    """If what the token brought is gone, a person must authorize again, also where a run is forced."""
    seen = snapshot(STORED, current=FRESH)

    assert [Spent(NOW - HOUR)] * 2 == [plan(seen, run, policy()) for run in (SCHEDULED, FORCED)]


def test_a_token_goes_to_its_own_host_only() -> None:
    """A worker with another endpoint sends nothing, forced or not, due or not."""
    seen = snapshot(current=token_set(**origin(host="other.example")))

    expected = Mismatch("TOKEN_ENDPOINT", "other.example", "provider.example")
    assert [expected] * 2 == [plan(seen, run, policy()) for run in (SCHEDULED, FORCED)]


def test_without_the_key_the_newest_claim_s_host_counts() -> None:
    """A copy that somebody saved without the key does not lose its host."""
    seen = snapshot(claim(host="other.example", fate=Fate.NOT_REDEEMED))

    assert Mismatch("TOKEN_ENDPOINT", "other.example", "provider.example") == plan(seen, SCHEDULED, policy())
    assert isinstance(plan(snapshot(claim(host=None, fate=Fate.NOT_REDEEMED)), SCHEDULED, policy()), Redeem)


@pytest.mark.parametrize("stored", list(ClaimStoreKind))
def test_claims_are_looked_for_where_they_are(stored: ClaimStoreKind) -> None:
    """A worker with another claim store than the document's does nothing."""
    other = next(kind for kind in ClaimStoreKind if kind is not stored)
    seen = snapshot(current=token_set(**origin(store=stored)))

    assert Mismatch("CLAIM_TABLE", stored.value, other.value) == plan(seen, SCHEDULED, policy(store=other))


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (None, Publish()),
        (PublishedCopy(version_id="old", stored_at=NOW - STALENESS - timedelta(seconds=1)), Publish()),
        (PublishedCopy(version_id="old", stored_at=NOW - STALENESS), Fresh()),
        (PublishedCopy(version_id=published_version_id("v0"), stored_at=NOW - DAY), Fresh()),
    ],
    ids=["no copy", "an old copy", "a young copy", "the current copy"],
)
def test_a_copy_is_replaced_if_the_current_version_was_read_later(
    published: PublishedCopy | None, expected: object
) -> None:
    """A read may be 30 s old, so a younger copy is left alone."""
    assert expected == plan(snapshot(current=FRESH, published=published), PUBLISHING, policy())


def test_what_a_run_promoted_itself_is_published_at_once() -> None:
    """A run that made the current version current knows that nothing older is published."""
    seen = snapshot(current=FRESH, published=PublishedCopy(version_id="old", stored_at=NOW))

    assert Publish() == plan(seen, replace(PUBLISHING, promoted_version="v0"), policy())
    assert Fresh() == plan(seen, replace(PUBLISHING, promoted_version="v1"), policy())
    assert Fresh() == plan(seen, RunState(promoted_version="v0"), policy())


@pytest.mark.parametrize("missing", [{"accessToken": None}, {"expires_at": None}])
def test_an_incomplete_token_set_is_not_published(missing: dict[str, Any]) -> None:
    """Consumers get complete token sets only."""
    assert isinstance(plan(snapshot(current=token_set(**missing)), PUBLISHING, policy()), Redeem)


def rejected(*, at: datetime, before: datetime | None = None) -> object:
    earlier = (attempt("c0", Fate.REJECTED, claimed_at=before),) if before else ()
    newest = claim(fate=Fate.REJECTED, claimed_at=at, number=2 if before else 1, earlier=earlier)
    return plan(snapshot(newest, current=token_set(expires_at=NOW + 4 * HOUR)), SCHEDULED, policy())


def test_a_rejected_token_is_sent_again_after_an_hour_then_after_a_day() -> None:
    """One `invalid_grant` may be false: the first is asked about after an hour, a later one after a day."""
    at = NOW - HOUR + MINUTE
    assert Rejected(at, at + HOUR) == rejected(at=at)
    assert isinstance(rejected(at=NOW - HOUR), Redeem)
    assert Rejected(NOW - HOUR, NOW + 2 * HOUR) == rejected(at=NOW - HOUR, before=NOW - 3 * HOUR)


def test_a_rejected_token_is_sent_again_when_the_last_quarter_begins() -> None:
    """The last chance before the access token expires is taken, once."""
    current = token_set(expires_at=NOW + HOUR)
    once, later = (
        snapshot(claim(fate=Fate.REJECTED, claimed_at=at, earlier=(attempt("c0", Fate.REJECTED),)), current=current)
        for at in (NOW - 2 * HOUR, NOW - HOUR + MINUTE)
    )

    assert isinstance(plan(once, SCHEDULED, policy()), Redeem)
    assert Rejected(NOW - HOUR + MINUTE, NOW + 23 * HOUR + MINUTE) == plan(later, SCHEDULED, policy())


def test_force_overrides_a_rejection() -> None:
    """A person who corrected the client credentials need not wait."""
    assert isinstance(plan(snapshot(claim(fate=Fate.REJECTED, claimed_at=NOW - MINUTE)), FORCED, policy()), Redeem)


def test_what_is_not_due_is_left_alone() -> None:
    """A token set is fresh until the moment at which it is due."""
    due_in_a_second = token_set(expires_at=NOW + 8 * HOUR + timedelta(seconds=1))

    assert Fresh() == plan(snapshot(current=due_in_a_second), SCHEDULED, policy())
    assert isinstance(plan(snapshot(current=token_set(expires_at=NOW + 8 * HOUR)), SCHEDULED, policy()), Redeem)
    assert isinstance(plan(snapshot(current=FRESH), FORCED, policy()), Redeem)


def test_a_caller_may_force_twelve_claims_a_day() -> None:
    """Beyond that a forced run of what is not due yields, and says until when."""
    run = replace(FORCED, forced_claims_a_day=FORCED_CLAIMS_A_DAY)
    earlier = tuple(
        attempt(f"c{n}", Fate.NOT_REDEEMED, version_id="old", claimed_at=NOW - n * HOUR, forced=True)
        for n in range(12, 1, -1)
    )
    newest = claim(fate=Fate.NOT_REDEEMED, version_id="old", claimed_at=NOW - HOUR, forced=True, earlier=earlier)
    seen = snapshot(newest, current=FRESH)

    assert Wait(NOW + 12 * HOUR, Reason.FORCED_LIMIT) == plan(seen, run, policy())
    assert isinstance(plan(seen, FORCED, policy()), Redeem)
    assert isinstance(plan(replace(seen, current=token_set()), run, policy()), Redeem)
    one_unforced = snapshot(replace(newest, forced=False), current=FRESH)
    assert isinstance(plan(one_unforced, run, policy()), Redeem)


def test_an_open_claim_is_waited_for() -> None:
    """Another run may be redeeming until its claim has ended, also if this one is forced."""
    newest = claim(claimed_at=NOW - MINUTE)

    for run in (SCHEDULED, FORCED):
        assert Wait(NOW + MINUTE, Reason.CLAIMED) == plan(snapshot(newest), run, policy())
    assert isinstance(plan(snapshot(replace(newest, fate=Fate.NOT_REDEEMED)), SCHEDULED, policy()), Redeem)
    assert isinstance(plan(snapshot(replace(newest, claimed_at=NOW - 2 * MINUTE)), SCHEDULED, policy()), Redeem)


def test_a_claim_from_the_future_is_not_waited_for() -> None:
    """A claim more than an hour ahead of the clock counts as ended."""
    ahead = claim(claimed_at=NOW + HOUR)

    assert Wait(NOW + HOUR + 2 * MINUTE, Reason.CLAIMED) == plan(snapshot(ahead), SCHEDULED, policy())
    further = snapshot(replace(ahead, claimed_at=NOW + HOUR + timedelta(seconds=1)))
    assert Reason.CLAIMED is not getattr(plan(further, SCHEDULED, policy()), "reason", None)


def test_a_named_claim_that_can_not_be_read_is_waited_for_as_long_as_reads_may_be_stale() -> None:
    """Within 30 s of the document the claim may just not be visible yet; later it was removed."""
    named = origin(claim_id="c" * 32, number=7)
    young = snapshot(current=token_set(stored_at=NOW - timedelta(seconds=29), **named))
    old = snapshot(current=token_set(stored_at=NOW - timedelta(seconds=30), **named))

    assert Wait(NOW + timedelta(seconds=1), Reason.UNREADABLE) == plan(young, SCHEDULED, policy())
    step = plan(old, SCHEDULED, policy())
    assert isinstance(step, Redeem)
    assert ("c" * 32, claim_version_id("c" * 32), 8) == (step.after, step.claim.claim_id, step.claim.number)


@pytest.mark.parametrize("newest", [None, claim("c0", claim_number=6, version_id="old", token="other")])
def test_a_lost_table_is_replaced_before_anything_is_claimed(newest: object) -> None:
    """A claim that nobody holds is appended, with the claims that the table may have held as silent attempts."""
    current = token_set(stored_at=NOW - DAY, **origin(claim_id="c" * 32, number=7, store=ClaimStoreKind.TABLE))

    step = plan(snapshot(newest, current=current), SCHEDULED, IN_TABLE)  # type: ignore[arg-type]  # a table

    assert isinstance(step, ReplaceLostTable)
    lost = step.claim.earlier[-LOST_CLAIMS:]
    assert (unheld_claim_id("nonce"), 7 + LOST_CLAIMS + 1, 1, NOW) == (
        step.claim.claim_id,
        step.claim.number,
        step.claim.attempt_number,
        step.claim.claimed_at,
    )
    assert (8, {(Fate.SILENT, "v0", NOW - DAY, 1)}) == (
        len(lost),
        {(a.fate, a.version_id, a.claimed_at, a.attempt_number) for a in lost},
    )
    assert [claim_version_id("c" * 32), claim_version_id(claim_version_id("c" * 32))] == [a.claim_id for a in lost[:2]]
    assert ("c0" if newest else None, False) == (step.after, step.claim.forced)


def test_a_table_that_is_not_behind_is_not_lost() -> None:
    """A document of the newest claim, or without one, is no sign of a loss."""
    current = token_set(**origin(claim_id="c" * 32, number=7, store=ClaimStoreKind.TABLE))
    newest = claim("c" * 32, claim_number=7, fate=Fate.NOT_REDEEMED)

    assert isinstance(plan(snapshot(newest, current=current), SCHEDULED, IN_TABLE), Redeem)
    assert isinstance(plan(snapshot(), SCHEDULED, IN_TABLE), Redeem)


@pytest.mark.parametrize("fate", [Fate.SILENT, Fate.UNKNOWN])
def test_a_token_of_unknown_fate_is_held(fate: Fate) -> None:
    """At a single-use provider nothing is sent before the last quarter of the window, unless a person forces it."""
    seen = snapshot(claim(fate=fate), current=token_set("copy", expires_at=NOW + 4 * HOUR))

    assert Hold(NOW - HOUR, NOW + 2 * HOUR) == plan(seen, SCHEDULED, SINGLE_USE)
    assert isinstance(plan(seen, RunState(forced_version="copy"), SINGLE_USE), Redeem)
    assert isinstance(plan(replace(seen, now=NOW + 2 * HOUR), SCHEDULED, SINGLE_USE), Redeem)


def test_the_grace_counts_from_the_first_unresolved_attempt() -> None:
    """A token may be sent again as long as the provider accepts it, counted from when it may first have been spent."""
    newest = claim("c2", fate=Fate.UNKNOWN, number=2, earlier=(attempt("c1", claimed_at=NOW - 2 * HOUR),))
    seen = snapshot(newest, current=token_set(expires_at=NOW + 4 * HOUR))

    assert isinstance(plan(seen, SCHEDULED, policy(grace=2 * HOUR + MINUTE)), Redeem)
    assert Hold(NOW - 2 * HOUR, NOW + 2 * HOUR) == plan(seen, SCHEDULED, policy(grace=2 * HOUR))


def test_the_smaller_grace_counts_and_is_carried_on() -> None:
    """A worker that believes in a longer grace than the stored one sends nothing."""
    stored = token_set(expires_at=NOW + 4 * HOUR, **origin(grace=timedelta(0)))
    held = snapshot(claim(fate=Fate.UNKNOWN), current=stored)

    assert isinstance(plan(held, SCHEDULED, policy()), Hold)
    step = plan(snapshot(current=stored), SCHEDULED, policy())
    assert isinstance(step, Redeem)
    assert timedelta(0) == step.claim.grace
    by_claim = snapshot(claim(fate=Fate.UNKNOWN, grace=HOUR), current=token_set(expires_at=NOW + 4 * HOUR))
    assert isinstance(plan(by_claim, SCHEDULED, policy()), Hold)


def test_nothing_is_held_without_an_access_token_to_lose() -> None:
    """A replay costs consumers nothing if they have no access token."""
    assert isinstance(plan(snapshot(claim(), current=token_set(accessToken=None)), SCHEDULED, SINGLE_USE), Redeem)


def test_attempts_on_a_version_back_off() -> None:
    """The third attempt waits two minutes after the second, unless forced."""
    newest = claim("c2", fate=Fate.NOT_REDEEMED, number=2, claimed_at=NOW - MINUTE)

    assert Wait(NOW + MINUTE, Reason.BACKOFF) == plan(snapshot(newest), SCHEDULED, policy())
    assert isinstance(plan(snapshot(newest), FORCED, policy()), Redeem)
    assert isinstance(plan(snapshot(newest, now=NOW + MINUTE), SCHEDULED, policy()), Redeem)


@pytest.mark.parametrize("store", list(ClaimStoreKind))
def test_the_daily_limit_leaves_room_in_the_secret(store: ClaimStoreKind) -> None:
    """No more claims are made in 24 hours than the secret has room for, forced or not."""
    limit = CLAIMS_A_DAY[store]
    earlier = tuple(
        attempt(f"c{n}", Fate.NOT_REDEEMED, version_id="old", claimed_at=NOW - DAY + (n + 1) * MINUTE)
        for n in range(limit - 1)
    )
    newest = claim(fate=Fate.NOT_REDEEMED, version_id="old", earlier=earlier)
    for run in (SCHEDULED, FORCED):
        assert Wait(NOW + MINUTE, Reason.DAILY_LIMIT) == plan(snapshot(newest), run, policy(store=store))
    assert isinstance(plan(snapshot(replace(newest, earlier=earlier[1:])), SCHEDULED, policy(store=store)), Redeem)


def test_a_run_redeems_once() -> None:
    """After its own redemption a run leaves everything else to a later one."""
    assert Wait(NOW, Reason.REDEEMED) == plan(snapshot(), RunState(redeemed=True), policy())


def test_a_claim_says_what_it_is_for() -> None:
    """The next claim follows the newest, and carries on what still matters."""
    kept, gone = attempt("c1"), attempt("c0", Fate.NOT_REDEEMED, claimed_at=NOW - DAY)
    newest = claim("c2", fate=Fate.NOT_REDEEMED, number=2, claim_number=9, earlier=(gone, kept))

    step = plan(snapshot(newest), FORCED, policy(grace=3 * DAY))

    assert isinstance(step, Redeem)
    made = step.claim
    assert ("c2", claim_version_id("c2"), "v0", 3) == (step.after, made.claim_id, made.version_id, made.attempt_number)
    assert (NOW, 2 * MINUTE, 10, True, "nonce") == (
        made.claimed_at,
        made.time_to_live,
        made.number,
        made.forced,
        made.nonce,
    )
    assert ("provider.example", DAY, snapshot().token) == (made.host, made.grace, made.token)
    assert ["c1", "c2"] == [a.claim_id for a in made.earlier]
