"""The rules 1 to 6 of the protocol, row by row: what is stored, and the step that follows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import (
    DAY,
    FORCED,
    HOUR,
    IN_TABLE,
    MINUTE,
    NOW,
    RUN,
    attempt,
    claim,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import RULES, STALENESS, plan
from token_refresh_worker.core.snapshot import PublishedCopy, RunState, TokenSet
from token_refresh_worker.core.steps import (
    Carry,
    Fresh,
    Mismatch,
    Promote,
    Publish,
    Reason,
    Redeem,
    Rejected,
    TokenUsed,
    Wait,
)
from token_refresh_worker.core.versions import published_version_id
from token_refresh_worker.stored.origin import ClaimStoreKind

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


def test_a_table_does_not_hide_the_claims_in_a_secret() -> None:
    """A document that no run has written names no store: claims that are in the secret count."""
    found = replace(snapshot(), claims_in_versions=True)

    assert Mismatch("CLAIM_TABLE", "versions", "table") == plan(found, FORCED, IN_TABLE)


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
