"""Random histories, as `scripts/prove histories` lives through them."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from proof.bounds import Bounds, all_of_it
from proof.histories import live
from proof.history import History
from token_refresh_worker.core import plan as plan_module


@pytest.mark.parametrize("bounds", [bounds for bounds in all_of_it() if bounds.promised], ids=str)
def test_no_history_within_the_bounds_loses_a_grant(bounds: Bounds) -> None:
    """Old reads, clocks that differ, late writes and crashes cost no grant, and nobody has to authorize for nothing.

    `scripts/prove histories` lives through a thousand of each, with other seeds each night.
    """
    found = live(bounds, range(8))

    assert (0, 0) == (found.revoked, found.alarms), found.first and found.first.lines
    assert found.refreshed > 0


def test_the_bounds_are_promised_where_a_claim_lives_long_enough() -> None:
    """A day's and an hour's tokens stand old reads and clocks that differ together; half an hour's don't."""
    both = Bounds(stale_seconds=300, clocks_seconds=240)

    assert both.promised
    assert replace(both, lifetime_seconds=86_400, run_seconds=900).promised
    assert not replace(both, lifetime_seconds=1_800).promised
    assert not replace(both, late_seconds=300).promised


def test_a_grant_that_is_lost_comes_with_its_history() -> None:
    """Where claims end with their runs, histories are found in which a used token is sent again."""
    with patch.object(plan_module, "claim_time_to_live", lambda limit, *_: limit):
        found = live(Bounds(stale_seconds=300, clocks_seconds=240), range(100))

    assert found.revoked > 0
    assert found.first is not None
    assert found.first.lines[-1].endswith("REUSED")


def test_a_history_follows_from_its_seed() -> None:
    """The printed seed is enough to see a history again."""
    first, second = (History(Bounds(stale_seconds=300, late_seconds=300), 7).run() for _ in range(2))

    assert first.lines == second.lines
    assert len(first.lines) > 10
