"""Rule 5: the provider rejected the newest attempt on this version."""

from testbed.builders import FORCED, HOUR, MINUTE, NOW, RUN, attempt, claim, policy, snapshot, token_set
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Redeem, Rejected


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
