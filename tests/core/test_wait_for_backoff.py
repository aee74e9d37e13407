"""Rule 9: attempts on this version failed."""

from builders import FORCED, MINUTE, NOW, RUN, claim, policy, snapshot
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Reason, Redeem, Wait


def test_failed_attempts_are_spaced() -> None:
    """The third attempt on a version waits two minutes after the second; a forced run does not."""
    second = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2)

    assert Wait(NOW + MINUTE, Reason.BACKOFF) == plan(snapshot(second), RUN, policy())
    assert isinstance(plan(snapshot(second), FORCED, policy()), Redeem)
    on_another_version = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2, version_id="v9")
    assert isinstance(plan(snapshot(on_another_version), RUN, policy()), Redeem)


def test_the_moment_after_the_backoff_is_free() -> None:
    """A run that comes at the time it was given does not wait again."""
    failed = claim(fate=Fate.NOT_REDEEMED, number=2, claimed_at=NOW - 2 * MINUTE)

    assert isinstance(plan(snapshot(failed), RunState(), policy()), Redeem)
