"""Rule 12: the secret holds as many versions of the last 24 hours as it may."""

from dataclasses import replace

import pytest

from testbed.builders import FORCED, HOUR, IN_TABLE, NOW, RUN, attempt, claim, policy, snapshot
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.steps import Reason, Redeem, Wait


@pytest.mark.parametrize(("settings", "limit"), [(policy(), 40), (IN_TABLE, 80)])
def test_a_full_day_waits_forced_or_not(settings: Policy, limit: int) -> None:
    """40 claims a day fit into a secret's versions, and 80 into a table."""
    versions, at = 80 // limit, NOW - 23 * HOUR
    one = replace(attempt("c", Fate.NOT_REDEEMED, version_id="v9", claimed_at=at), versions=versions)
    last = replace(claim("last", fate=Fate.NOT_REDEEMED, version_id="v9"), versions=versions)
    full, room = replace(last, earlier=(one,) * (limit - 1)), replace(last, earlier=(one,) * (limit - 2))

    for run in (RUN, FORCED):
        assert Wait(NOW + HOUR, Reason.DAILY_LIMIT) == plan(snapshot(full), run, settings)
        assert isinstance(plan(snapshot(room), run, settings), Redeem)
