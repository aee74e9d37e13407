"""Rule 10: the secret holds as many versions of the last 24 hours as it may."""

import pytest

from builders import FORCED, HOUR, IN_TABLE, NOW, RUN, attempt, claim, policy, snapshot
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.steps import Reason, Redeem, Wait


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
