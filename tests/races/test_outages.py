from concurrent.futures import ThreadPoolExecutor

import pytest

from races.kills import REFRESH, Boundary, When, boundaries
from testbed.aws.faults import Action
from testbed.testbed import GRACE, SINGLE_USE, TOKEN_REQUEST, Testbed


def ended_without_store(boundary: Boundary) -> tuple[str, list[str], bool]:
    with Testbed(GRACE) as testbed:
        testbed.store.fault("unavailable", nth=boundary.nth_of_service, times=None)
        # The shortest deadline that a refresh accepts, since all of it is used on trying.
        name = testbed.run(deadline_seconds=30).name
        testbed.store.faults.clear()
        return name, [run.name for run in testbed.run_until_done()][-1:], testbed.alive


def test_store_stays_away() -> None:
    """Secrets Manager going away for good, at whichever call, is a named error; once it is back the grant is there."""
    points = [b for b in boundaries(REFRESH, GRACE) if b.when is When.BEFORE and b.call != TOKEN_REQUEST]
    received = [point for point in points if point.call == "PutSecretValue staged tokens"]

    with ThreadPoolExecutor(len(points)) as pool:
        ended = dict(zip(points, pool.map(ended_without_store, points), strict=True))

    assert {
        point: ("TokensNotStored" if point in received else "SecretStoreUnavailable", ["fresh"], True)
        for point in points
    } == ended


@pytest.mark.parametrize(("action", "times"), [("deny", 4), ("throttle", 6), ("drop_before", 6)])
def test_stage_refused_for_long(action: Action, times: int) -> None:
    """Received tokens are stored as soon as Secrets Manager takes them, however often it refused them before."""
    with Testbed(SINGLE_USE) as testbed:
        refused = testbed.store.fault(action, "PutSecretValue", nth=2, times=times)

        assert "refreshed" == testbed.run().name
        assert times < refused.seen
        assert (1, True) == (testbed.requests_sent, testbed.alive)
