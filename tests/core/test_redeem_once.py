"""Rule 13: what the next claim says."""

from dataclasses import replace
from datetime import timedelta

import pytest

from testbed.builders import (
    DAY,
    FORCED,
    HOUR,
    IN_TABLE,
    MINUTE,
    NOW,
    RUN,
    attempt,
    claim,
    mark,
    policy,
    snapshot,
    token_set,
)
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Reason, Redeem, Wait
from token_refresh_worker.core.versions import claim_version_id


def test_the_first_claim_names_host_and_grace() -> None:
    """Nothing stored says to which host a first token belongs: the claim says where it is sent, and its grace."""
    first = snapshot()

    step = plan(first, FORCED, policy())

    assert isinstance(step, Redeem)
    assert (None, None) == (first.host, first.grace)
    assert ("provider.example", DAY, Fate.SILENT) == (step.claim.host, step.claim.grace, step.claim.fate)


def test_a_run_redeems_once() -> None:
    """After one claim of its own a run leaves the rest to the next."""
    redeemed = RunState(nonce="nonce", redeemed=True)

    assert Wait(NOW, Reason.REDEEMED) == plan(snapshot(), redeemed, policy())


def test_the_next_claim_says_what_it_redeems() -> None:
    """It follows the newest one, and carries what later runs need."""
    newest = claim("c1", fate=Fate.UNKNOWN, claim_number=7, grace=HOUR)

    step = plan(snapshot(newest), replace(FORCED, limit=MINUTE), policy())

    assert isinstance(step, Redeem)
    made = step.claim
    assert ("c1", claim_version_id("c1"), "v0", 2, NOW) == (
        step.after,
        made.claim_id,
        made.version_id,
        made.attempt_number,
        made.claimed_at,
    )
    assert (mark("refresh-0"), 8, "provider.example", HOUR, 10 * MINUTE, "nonce") == (
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


@pytest.mark.parametrize(("settings", "after", "versions"), [(policy(), None, 2), (IN_TABLE, "v0", 1)])
def test_a_first_claim_is_its_claim_store_s(settings: Policy, after: str | None, versions: int) -> None:
    """It takes one or two versions; in a table it follows the token set, since claims may be in the secret."""
    step = plan(snapshot(), RUN, settings)

    assert isinstance(step, Redeem)
    assert (claim_version_id(after), versions) == (step.claim.claim_id, step.claim.versions)


@pytest.mark.parametrize(
    ("lifetime", "grace", "life"), [(DAY, DAY, 10), (HOUR / 2, DAY, 7.5), (DAY, HOUR / 3, 5), (HOUR / 2, HOUR / 2, 7.5)]
)
def test_a_claim_is_cut_to_the_window_and_to_the_grace(lifetime: timedelta, grace: timedelta, life: float) -> None:
    """It ends before the last quarter of the window, and early enough for a request to be repeated."""
    current = token_set(issued_at=NOW - lifetime, expires_at=NOW)

    step = plan(snapshot(current=current), RunState(limit=MINUTE), policy(grace=grace))

    assert isinstance(step, Redeem)
    assert life * MINUTE == step.claim.time_to_live


def test_the_next_claim_carries_the_first_unresolved_attempt_on() -> None:
    """The provider's grace counts from it, however old it is."""
    old = NOW - 3 * DAY
    first = attempt("first", Fate.UNKNOWN, claimed_at=old)
    many = tuple(attempt(f"n{n}", Fate.REJECTED, version_id="w", token="t", claimed_at=old) for n in range(60))
    newest = claim("last", fate=Fate.NOT_REDEEMED, earlier=(first, *many))

    step = plan(snapshot(newest), RunState(forced_version="v0"), policy())

    assert isinstance(step, Redeem)
    assert first in step.claim.earlier
