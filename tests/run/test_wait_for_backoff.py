"""Attempts on this version failed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from testbed.builders import DAY, FORCED, HOUR, MINUTE, NOW, RUN, claim, policy, snapshot, token_set
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Reason, Redeem, Wait


def test_failed_attempts_are_spaced() -> None:
    """The third attempt on a version waits two minutes after the second; a forced run does not."""
    second = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2)

    assert Wait(NOW + MINUTE, Reason.BACKOFF) == plan(snapshot(second), RUN, policy())
    assert isinstance(plan(snapshot(second, now=NOW + MINUTE), RUN, policy()), Redeem)
    assert isinstance(plan(snapshot(second), FORCED, policy()), Redeem)
    on_another_version = claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2, version_id="v9")
    assert isinstance(plan(snapshot(on_another_version), RUN, policy()), Redeem)


@pytest.mark.parametrize(
    ("hours", "asked", "waits"),
    [
        (7, timedelta(minutes=5), timedelta(minutes=4)),
        (7, 2 * HOUR, 2 * HOUR - MINUTE),
        (7, 9 * HOUR, 5 * HOUR),
        (1, 9 * HOUR, None),
        (None, 9 * DAY, DAY - MINUTE),
        (7, -9 * DAY, None),
    ],
)
def test_what_the_provider_asks_for_is_remembered(
    hours: float | None, asked: timedelta, waits: timedelta | None
) -> None:
    """`Retry-After` counts for a day at most, and only until the last quarter of the window begins."""
    current = token_set(expires_at=None if hours is None else NOW + hours * HOUR)
    asked_to = replace(claim(fate=Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE), retry_at=NOW - MINUTE + asked)

    step = plan(snapshot(asked_to, current=current), RUN, policy())

    assert (Wait(NOW + waits, Reason.BACKOFF) == step) if waits else isinstance(step, Redeem)
    assert isinstance(plan(snapshot(asked_to, current=current), FORCED, policy()), Redeem)
