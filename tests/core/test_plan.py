"""The rules of the protocol, row by row: what is stored, and the step that follows."""

from datetime import timedelta
from typing import Any

import pytest

from builders import (
    DAY,
    HOUR,
    IN_TABLE,
    MINUTE,
    NOW,
    SINGLE_USE,
    attempt,
    claim,
    mark,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh.core.attempts import Fate
from token_refresh.core.claims import Claim
from token_refresh.core.plan import CLOCK_ERROR, LOST_CLAIMS, RULES, STALENESS, plan
from token_refresh.core.schedule import Policy
from token_refresh.core.snapshot import PublishedCopy, RunState, TokenSet
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
    TokenUsed,
    Wait,
)
from token_refresh.core.versions import claim_version_id, published_version_id
from token_refresh.stored.origin import ClaimStoreKind

RUN = RunState(nonce="nonce")
FORCED = RunState(nonce="nonce", forced_version="v0")
NEW = token_set("new", refreshToken="refresh-1")
FRESH = token_set(expires_at=NOW + DAY)
SECOND = timedelta(seconds=1)


def test_there_are_eleven_rules() -> None:
    """No more rules than before, each with its reason."""
    assert 11 == len(RULES)
    assert all(rule.reason for rule in RULES)


# 1: forward


def test_stored_tokens_become_current() -> None:
    """A claim on this very version stored tokens, and its run died before it promoted them."""
    assert Promote(NEW) == plan(snapshot(claim(brought="refresh-1"), successor=NEW), RUN, policy())


def test_stored_tokens_are_carried_onto_an_edited_copy() -> None:
    """The current version holds the same refresh token under another ID: someone saved a copy."""
    stored = claim(brought="refresh-1", version_id="original")

    assert Carry(NEW, "c1") == plan(snapshot(stored, successor=NEW), RUN, policy())


def test_stored_tokens_come_before_all_else() -> None:
    """Even with the settings of another deployment stored tokens are not lost."""
    stored = claim(brought="refresh-1", host="other.example")

    assert Promote(NEW) == plan(snapshot(stored, successor=NEW), FORCED, policy(host="else.example"))


# 2: other settings


@pytest.mark.parametrize(
    ("current", "newest"),
    [
        (token_set(**origin(host="other.example")), None),
        (token_set(**origin(host="other.example")), claim(fate=Fate.REJECTED)),
        (token_set(), claim(fate=Fate.REJECTED, host="other.example")),
    ],
)
def test_no_token_goes_to_another_host(current: TokenSet, newest: Claim | None) -> None:
    """The document names the host, or without the key the newest claim does; force changes nothing."""
    found = plan(snapshot(newest, current=current), FORCED, policy())

    assert Mismatch("TOKEN_ENDPOINT", "other.example", "provider.example") == found


def test_the_document_s_host_counts_before_the_claim_s() -> None:
    """After `authorize` for another provider, old claims name the old host."""
    moved = token_set(**origin())

    assert isinstance(
        plan(snapshot(claim(fate=Fate.REJECTED, host="old.example"), current=moved), FORCED, policy()), Redeem
    )


def test_claims_are_in_one_store() -> None:
    """A deployment with a table does not touch a secret whose claims are versions."""
    current = token_set(**origin(claim_store=ClaimStoreKind.VERSIONS))

    assert Mismatch("CLAIM_TABLE", "versions", "table") == plan(snapshot(current=current), RUN, IN_TABLE)


# 3: publish


def published(version_id: str = "old", age: timedelta = HOUR) -> PublishedCopy:
    return PublishedCopy(version_id=version_id, stored_at=NOW - age)


PUBLISHING = RunState(nonce="nonce", publishes=True)


def test_a_copy_of_another_version_is_replaced() -> None:
    """A missing copy is made, and one that is old enough is replaced."""
    for copy in (None, published(), published(age=STALENESS + SECOND)):
        assert Publish() == plan(snapshot(current=FRESH, published=copy), PUBLISHING, policy())


def test_a_young_copy_is_replaced_by_the_run_that_promoted_alone() -> None:
    """The read of the current version may be older than the copy, unless this run made it current itself."""
    young = snapshot(current=FRESH, published=published(age=STALENESS))
    promoted = RunState(nonce="nonce", publishes=True, promoted_version="v0")

    assert Fresh() == plan(young, PUBLISHING, policy())
    assert Publish() == plan(young, promoted, policy())


@pytest.mark.parametrize("lacking", [{"accessToken": None}, {"expires_at": None}])
def test_an_incomplete_set_is_not_published(lacking: dict[str, Any]) -> None:
    """Consumers need an access token and its expiry."""
    assert not isinstance(plan(snapshot(current=token_set(**lacking)), PUBLISHING, policy()), Publish)


def test_a_copy_of_the_current_version_is_left() -> None:
    """Nothing is written where nothing changed, nor by a run that does not publish."""
    same = published(published_version_id("v0"))

    assert Fresh() == plan(snapshot(current=FRESH, published=same), PUBLISHING, policy())
    assert Fresh() == plan(snapshot(current=FRESH, published=published()), RUN, policy())


# 4: used


def test_a_used_token_whose_tokens_are_gone_is_never_sent() -> None:
    """Sent again, it could revoke the grant; force changes nothing."""
    gone = snapshot(claim(brought="refresh-1", claimed_at=NOW - HOUR))

    assert TokenUsed(NOW - HOUR) == plan(gone, FORCED, policy())


# 5: rejected


def test_a_rejected_grant_is_left_alone_until_its_retry() -> None:
    """The provider is asked again an hour after the first rejection, and at once by a forced run."""
    rejected = claim(fate=Fate.REJECTED, claimed_at=NOW - HOUR + MINUTE)
    long_lived = token_set(expires_at=NOW + 3 * HOUR)

    waiting = snapshot(rejected, current=long_lived)
    assert Rejected(NOW - HOUR + MINUTE, NOW + MINUTE) == plan(waiting, RUN, policy())
    assert isinstance(plan(snapshot(rejected, now=NOW + MINUTE, current=long_lived), RUN, policy()), Redeem)
    assert isinstance(plan(waiting, FORCED, policy()), Redeem)


def test_a_rejection_before_a_failure_blocks_nothing() -> None:
    """Only the newest attempt on the version counts."""
    newest = claim("c2", fate=Fate.NOT_REDEEMED, number=2, earlier=(attempt("c1", Fate.REJECTED),))

    assert isinstance(plan(snapshot(newest), RUN, policy()), Redeem)


# 6: fresh


def test_a_fresh_set_is_left() -> None:
    """Before it is due nothing happens; from the moment on it is refreshed."""
    assert Fresh() == plan(snapshot(current=token_set(expires_at=NOW + 8 * HOUR + SECOND)), RUN, policy())
    assert isinstance(plan(snapshot(current=token_set(expires_at=NOW + 8 * HOUR)), RUN, policy()), Redeem)
    assert isinstance(plan(snapshot(current=token_set(expires_at=None)), RUN, policy()), Redeem)


def test_a_forced_run_refreshes_a_fresh_set() -> None:
    """On the version that it read first, and on no other."""
    step = plan(snapshot(current=FRESH), FORCED, policy())

    assert isinstance(step, Redeem)
    assert step.claim.forced
    assert Fresh() == plan(snapshot(current=token_set("v1", expires_at=NOW + DAY)), FORCED, policy())


def test_forced_claims_have_a_limit_of_their_own() -> None:
    """Beyond it a fresh set waits, and a due one is refreshed like by a scheduled run."""
    limited = RunState(nonce="nonce", forced_version="v0", forced_claims_a_day=2)
    forced = claim("c2", fate=Fate.NOT_REDEEMED, forced=True, earlier=(attempt("c1", Fate.NOT_REDEEMED, forced=True),))

    assert Wait(NOW + 23 * HOUR, Reason.FORCED_LIMIT) == plan(snapshot(forced, current=FRESH), limited, policy())
    due = plan(snapshot(forced), limited, policy())
    assert isinstance(due, Redeem)
    assert not due.claim.forced
    unlimited = plan(snapshot(forced, current=FRESH), FORCED, policy())
    assert isinstance(unlimited, Redeem)


# 7: open claims


def test_an_open_claim_is_waited_for() -> None:
    """Until its time to live is over, forced or not."""
    held = claim(claimed_at=NOW - MINUTE)

    assert Wait(NOW + MINUTE, Reason.CLAIMED) == plan(snapshot(held), RUN, policy())
    assert Wait(NOW + MINUTE, Reason.CLAIMED) == plan(snapshot(held), FORCED, policy())
    assert isinstance(plan(snapshot(held, now=NOW + MINUTE), RUN, policy()), Redeem)


@pytest.mark.parametrize("fate", [Fate.NOT_REDEEMED, Fate.UNKNOWN, Fate.REJECTED])
def test_a_record_ends_a_claim_early(fate: Fate) -> None:
    """Another run may go on as soon as the attempt has ended."""
    ended = claim(fate=fate, claimed_at=NOW - MINUTE)

    assert isinstance(plan(snapshot(ended), FORCED, policy()), Redeem)


def test_a_claim_from_the_far_future_is_not_waited_for() -> None:
    """Over an hour ahead of the clock is no time that the service gives."""
    ahead = claim(claimed_at=NOW + CLOCK_ERROR)
    too_far = claim(claimed_at=NOW + CLOCK_ERROR + SECOND)

    assert isinstance(plan(snapshot(ahead), FORCED, policy()), Wait)
    assert isinstance(plan(snapshot(too_far), FORCED, policy()), Redeem)


def test_a_named_claim_that_can_not_be_read_is_waited_for() -> None:
    """The current version names a claim that a stale read does not show yet; after 30 seconds it was pruned."""
    named = token_set(stored_at=NOW - STALENESS + SECOND, **origin(claim_id="c" * 36, number=5))

    assert Wait(NOW + SECOND, Reason.UNREADABLE) == plan(snapshot(current=named), FORCED, policy())
    pruned = plan(snapshot(now=NOW + SECOND, current=named), FORCED, policy())
    assert isinstance(pruned, Redeem)
    assert (claim_version_id("c" * 36), 6, "c" * 36) == (pruned.claim.claim_id, pruned.claim.number, pruned.after)


def test_a_lost_table_is_replaced() -> None:
    """The table is behind the document: the claims that it may have held count as attempts of unknown outcome."""
    named = token_set(**origin(claim_id="c" * 36, number=5, claim_store=ClaimStoreKind.TABLE))
    behind = claim("c0", fate=Fate.NOT_REDEEMED, claim_number=2)

    for newest, after in ((None, None), (behind, "c0")):
        step = plan(snapshot(newest, current=named), FORCED, IN_TABLE)

        assert isinstance(step, ReplaceLostTable)
        assert (after, 5 + LOST_CLAIMS + 1, False) == (step.after, step.claim.number, step.claim.forced)
        lost = step.claim.earlier[-LOST_CLAIMS:]
        assert claim_version_id("c" * 36) == lost[0].claim_id
        assert claim_version_id(lost[0].claim_id) == lost[1].claim_id
        assert {(Fate.SILENT, "v0", mark("refresh-0"))} == {(a.fate, a.version_id, a.fingerprint) for a in lost}
        assert {named.stored_at} == {a.claimed_at for a in lost}
        assert step.claim.claim_id not in {a.claim_id for a in lost}


# 8: hold


def unresolved(*, grace: timedelta = DAY) -> Claim:
    return claim(fate=Fate.UNKNOWN, claimed_at=NOW - HOUR, grace=grace)


def test_a_token_of_unknown_outcome_is_held_until_the_last_quarter() -> None:
    """At a single-use provider a replay may revoke the grant, so it is made when there is little to lose."""
    current = token_set(expires_at=NOW + 4 * HOUR)
    held = snapshot(unresolved(grace=timedelta(0)), current=current)

    assert Hold(NOW - HOUR, NOW + 2 * HOUR) == plan(held, RUN, SINGLE_USE)
    assert isinstance(plan(held, FORCED, SINGLE_USE), Redeem)
    late = snapshot(unresolved(grace=timedelta(0)), now=NOW + 2 * HOUR, current=current)
    assert isinstance(plan(late, RUN, SINGLE_USE), Redeem)
    nothing_to_lose = snapshot(unresolved(grace=timedelta(0)), current=token_set(expires_at=None))
    assert isinstance(plan(nothing_to_lose, RUN, SINGLE_USE), Redeem)


def test_within_the_grace_nothing_is_held() -> None:
    """The provider accepts the token until its grace is over."""
    current = token_set(expires_at=NOW + 4 * HOUR)

    assert isinstance(plan(snapshot(unresolved(), current=current), RUN, policy(grace=HOUR + SECOND)), Redeem)
    assert isinstance(plan(snapshot(unresolved(), current=current), RUN, policy(grace=HOUR)), Hold)


@pytest.mark.parametrize(
    ("current", "newest_grace"),
    [
        (token_set(expires_at=NOW + 4 * HOUR, **origin(grace=timedelta(0))), DAY),
        (token_set(expires_at=NOW + 4 * HOUR), timedelta(0)),
    ],
)
def test_the_smaller_grace_counts(current: TokenSet, newest_grace: timedelta) -> None:
    """The document's, or without the key the newest claim's: another deployment's settings raise nothing."""
    stored = unresolved(grace=newest_grace)

    assert isinstance(plan(snapshot(stored, current=current), RUN, policy(grace=DAY)), Hold)


def test_a_hold_says_when_the_next_attempt_is_made() -> None:
    """A backoff or the daily limit may end later than the last quarter begins."""
    current = token_set(expires_at=NOW + 2 * HOUR + 2 * MINUTE)
    third = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, number=7, grace=timedelta(0))

    assert Hold(NOW - MINUTE, NOW + 59 * MINUTE) == plan(snapshot(third, current=current), RUN, SINGLE_USE)


# 9: backoff


def test_failed_attempts_are_spaced() -> None:
    """The third attempt on a version waits two minutes after the second; a forced run does not."""
    second = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2)

    assert Wait(NOW + MINUTE, Reason.BACKOFF) == plan(snapshot(second), RUN, policy())
    assert isinstance(plan(snapshot(second), FORCED, policy()), Redeem)
    elsewhere = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2, version_id="v9")
    assert isinstance(plan(snapshot(elsewhere), RUN, policy()), Redeem)


# 10: daily limit


@pytest.mark.parametrize(("settings", "limit"), [(policy(), 40), (IN_TABLE, 80)])
def test_a_full_day_waits_forced_or_not(settings: Policy, limit: int) -> None:
    """40 claims a day fit into a secret's versions, and 80 into a table."""
    others = tuple(
        attempt(f"c{n}", Fate.NOT_REDEEMED, version_id="v9", claimed_at=NOW - 23 * HOUR) for n in range(limit - 1)
    )
    full = claim("last", fate=Fate.NOT_REDEEMED, version_id="v9", earlier=others)
    room = claim("last", fate=Fate.NOT_REDEEMED, version_id="v9", earlier=others[1:])

    for run in (RUN, FORCED):
        assert Wait(NOW + HOUR, Reason.DAILY_LIMIT) == plan(snapshot(full), run, settings)
        assert isinstance(plan(snapshot(room), run, settings), Redeem)


# 11: redeem


def test_a_run_redeems_once() -> None:
    """After one claim of its own a run leaves the rest to the next."""
    redeemed = RunState(nonce="nonce", redeemed=True)

    assert Wait(NOW, Reason.REDEEMED) == plan(snapshot(), redeemed, policy())


def test_the_next_claim_says_what_it_redeems() -> None:
    """It follows the newest one, and carries what later runs need."""
    newest = claim("c1", fate=Fate.UNKNOWN, claim_number=7, grace=HOUR)

    step = plan(snapshot(newest), FORCED, policy(ttl=3 * MINUTE))

    assert isinstance(step, Redeem)
    made = step.claim
    assert ("c1", claim_version_id("c1"), "v0", 2, NOW) == (
        step.after,
        made.claim_id,
        made.version_id,
        made.attempt_number,
        made.claimed_at,
    )
    assert (mark("refresh-0"), 8, "provider.example", HOUR, 3 * MINUTE, "nonce") == (
        made.fingerprint,
        made.number,
        made.host,
        made.grace,
        made.time_to_live,
        made.nonce,
    )
    assert ["c1"] == [a.claim_id for a in made.earlier]


def test_the_first_claim_follows_a_root() -> None:
    """A secret without claims gets number 1, or the one after the document's."""
    step = plan(snapshot(), RUN, policy())

    assert isinstance(step, Redeem)
    assert (None, claim_version_id(None), 1, 1) == (
        step.after,
        step.claim.claim_id,
        step.claim.number,
        step.claim.attempt_number,
    )


def test_a_version_1_claim_counts_before_what_the_document_names() -> None:
    """Version 1 keeps the key of an older document, so the label of its claim wins."""
    named = token_set(**origin(claim_id="c" * 36, number=5))
    version_1 = claim("c1", fate=Fate.NOT_REDEEMED, claim_number=0, host=None, grace=None)

    step = plan(snapshot(version_1, current=named), RUN, policy())

    assert isinstance(step, Redeem)
    assert ("c1", 6) == (step.after, step.claim.number)
