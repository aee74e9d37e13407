"""Attempts count against the refresh token, also where an operator saved an edited copy of the version."""

from dataclasses import replace

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, attempt, claim, entry, policy, snapshot, standing, token_set
from token_refresh.core.claims import Redemption
from token_refresh.core.plan import Append, Hold, plan
from token_refresh.core.snapshot import Snapshot

EARLIER = entry("c1", version_id="v0", claimed_at=NOW - HOUR)


def edited(recorded: Redemption | None = None) -> Snapshot:
    """An edited copy is current; under the claim on the version before it nobody knows what happened."""
    seen = snapshot(
        current=token_set("o1", expires_at=NOW + 4 * HOUR),
        newest=claim("c1", version_id="v0", claimed_at=EARLIER.claimed_at),
    )
    return replace(seen, elsewhere=(attempt(EARLIER, recorded=recorded),))


def test_an_unknown_outcome_holds_an_edited_copy_too() -> None:
    """A refresh token of unknown outcome is not sent again because someone saved another version with it."""
    assert Hold(EARLIER.claimed_at, NOW + 2 * HOUR) == plan(edited(), standing(), SINGLE_USE)


def test_an_attempt_that_redeemed_nothing_holds_no_edited_copy() -> None:
    """Where it is known that nothing was redeemed, an edited copy is refreshed at once."""
    assert isinstance(plan(edited(Redemption.NOT_REDEEMED), standing(), SINGLE_USE), Append)


def test_force_overrides_the_hold_of_an_edited_copy() -> None:
    """A forced run sends the refresh token again, whatever became of it before."""
    assert isinstance(plan(edited(), standing(forced_version="o1"), SINGLE_USE), Append)


def test_the_grace_of_an_edited_copy_counts_from_the_first_attempt() -> None:
    """The provider's grace is measured from when the refresh token may first have been redeemed."""
    assert isinstance(plan(edited(), standing(), policy(grace=HOUR + MINUTE)), Append)
    assert isinstance(plan(edited(), standing(), policy(grace=HOUR - MINUTE)), Hold)


def test_the_first_unknown_attempt_elsewhere_stays_listed() -> None:
    """A claim lists the first attempt of unknown outcome, however old it is and on whichever version."""
    old = replace(EARLIER, claimed_at=NOW - 2 * DAY)
    newest = claim("c2", version_id="v0", attempt=2, claimed_at=NOW - DAY - HOUR, earlier=(old,))
    seen = replace(edited(), newest=newest, elsewhere=(attempt(old),))

    step = plan(seen, standing(forced_version="o1"), SINGLE_USE)

    assert isinstance(step, Append)
    assert (old,) == step.claim.earlier
