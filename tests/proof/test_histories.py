"""Random histories, as `scripts/prove histories` lives through them."""

from dataclasses import replace

import pytest

from proof.bounds import Bounds
from proof.histories import live
from proof.history import History

CALM = Bounds(lifetime_seconds=3_600)


@pytest.mark.parametrize("claims", ["versions", "table"])
def test_no_history_loses_a_grant_where_aws_is_prompt(claims: str) -> None:
    """Crashes, lost responses and runs at any time cost no grant outside of the one window."""
    found = live(replace(CALM, claims=claims), range(30))

    assert (0, 0) == (found.revoked, found.alarms)
    assert found.refreshed > 30


def test_a_history_follows_from_its_seed() -> None:
    """The printed seed is enough to see a history again."""
    first, second = (History(replace(CALM, stale_seconds=300, late_seconds=300), 7).run() for _ in range(2))

    assert first.lines == second.lines
    assert len(first.lines) > 10
