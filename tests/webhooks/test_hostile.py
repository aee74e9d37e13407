"""Whatever a stranger sends ends in a named response."""

import os

import pytest

from webhooks.hostile import assault

# The whole: HOSTILE_REQUESTS=100000 scripts/test tests/webhooks/test_hostile.py. This many take a few seconds.
COUNT = int(os.environ.get("HOSTILE_REQUESTS", "20000"))


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
def test_hostile_requests() -> None:
    """Thousands of broken events, headers, times and bodies: a named status each, no traceback, nothing quoted."""
    statuses = assault(COUNT, seed=COUNT)
    assert COUNT == statuses.total()
    assert {200, 400, 401, 403, 404, 405, 503} <= set(statuses)
