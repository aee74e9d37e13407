"""What comes first: staged tokens, tokens to carry, a label to take off, a copy to publish, a due refresh."""

from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, LIVE, MINUTE, NOW, OVER, attempt, claim, entry, policy, snapshot, standing, token_set
from token_refresh.core.plan import Append, Carry, Fresh, Promote, Publish, Tidy, plan
from token_refresh.core.snapshot import Spent, TokenSet
from token_refresh.core.versions import claim_version_id, published_version_id

FRESH = token_set(expires_at=NOW + DAY, issued_at=NOW)
STAGED = token_set("staged", labels=frozenset({"AWSPENDING"}), expires_at=NOW + DAY, issued_at=NOW)


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
