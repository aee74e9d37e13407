from concurrent.futures import ThreadPoolExecutor

import pytest

from races.kills import REFRESH, When, boundaries
from testbed.aws.faults import Action
from testbed.provider import script
from testbed.testbed import SINGLE_USE, TOKEN_REQUEST, Testbed


def refresh_with(action: Action, nth: int, times: int) -> tuple[str, int, bool, list[str]]:
    with Testbed(SINGLE_USE) as testbed:
        testbed.store.fault(action, nth=nth, times=times)
        name = testbed.run().name
        testbed.store.faults.clear()
        return name, testbed.endpoint.grant.redemptions, testbed.alive, [run.name for run in testbed.run_until_done()]


@pytest.mark.parametrize(("action", "times"), [("drop_after", 1), ("throttle", 2), ("unavailable", 2)])
def test_store_fails_for_a_while(action: Action, times: int) -> None:
    """Whichever call to Secrets Manager is lost or refused for a while, the run refreshes with one request."""
    calls = {b.nth_of_service for b in boundaries(REFRESH, SINGLE_USE) if b.call != TOKEN_REQUEST}

    with ThreadPoolExecutor(2) as pool:
        ended = dict(zip(calls, pool.map(lambda nth: refresh_with(action, nth, times), calls), strict=True))

    assert dict.fromkeys(calls, ("refreshed", 1, True, ["fresh"])) == ended


def test_token_request_never_arrived() -> None:
    """A request that was lost before it was redeemed is repeated after the hold, and nothing is lost."""
    with Testbed(SINGLE_USE) as testbed:
        testbed.endpoint.play(script.close())
        assert "RefreshOutcomeUnknown" == testbed.run().name
        testbed.pass_hold()

        assert ["refreshed", "fresh"] == [run.name for run in testbed.run_until_done()][-2:]
        assert testbed.alive


def test_late_claims_yield() -> None:
    """A claim that arrives after another run's is refused, and its run yields."""
    late = next(
        b for b in boundaries(REFRESH, SINGLE_USE) if b.call == "PutSecretValue REFRESH_CLAIM" and b.when is When.LATE
    )
    with Testbed(SINGLE_USE) as testbed:
        claim = testbed.store.fault("hold_before", nth=late.nth_of_service)
        with testbed.begin() as slow:
            claim.wait()
            assert "refreshed" == testbed.run().name
            claim.release()

            assert "fresh" == slow.wait().name
        assert (1, True) == (testbed.requests_sent, testbed.alive)


@pytest.mark.parametrize(("action", "times"), [("deny", 4), ("throttle", 6), ("drop_before", 6)])
def test_stage_refused_for_long(action: Action, times: int) -> None:
    """Received tokens are stored as soon as Secrets Manager takes them, however often it refused them before."""
    with Testbed(SINGLE_USE) as testbed:
        refused = testbed.store.fault(action, "PutSecretValue", nth=2, times=times)

        assert "refreshed" == testbed.run().name
        assert times < refused.seen
        assert (1, True) == (testbed.requests_sent, testbed.alive)
