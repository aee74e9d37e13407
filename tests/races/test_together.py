import pytest

from testbed.provider import script
from testbed.testbed import SINGLE_USE, Testbed
from testbed.worker import FORCED, PROCESSES, wait_for_all

# A run that reads between another's stage and its promotion promotes those tokens itself.
OUTCOMES = {"fresh", "recovered", "refreshed", "yielded"}


def assert_refreshed_once(testbed: Testbed) -> None:
    sent = testbed.requests_sent, testbed.endpoint.grant.redemptions, testbed.endpoint.most_in_flight
    # On a busy machine the winner may meet its deadline after it has stored the tokens.
    assert "fresh" == testbed.run_until_done()[-1].name
    assert ((1, 1, 1), 1, True) == (sent, testbed.requests_sent, testbed.alive)


@pytest.mark.parametrize("request_id", [None, "the-same-for-all"], ids=["own", "shared"])
def test_processes(request_id: str | None) -> None:
    """Of 12 processes started together one redeems and the others yield, also where all share one request ID."""
    # `scripts/prove races` starts 500 runs in 20 processes, with either claim store: that takes minutes.
    processes = 12
    with Testbed(SINGLE_USE, table=request_id is None, full=True) as testbed:
        start = PROCESSES.Barrier(processes)
        ended = wait_for_all([testbed.begin(start=start, request_id=request_id) for _ in range(processes)])

        names = [run.name for run in ended]
        assert (processes, 1) == (len(names), names.count("refreshed"))
        assert OUTCOMES >= set(names)
        assert {1} == {len(run.last_lines) for run in ended}
        assert_refreshed_once(testbed)


def test_at_the_claim() -> None:
    """Of runs that have all read the same state and claim at the same moment, one gets the claim."""
    runs = 6
    with Testbed(SINGLE_USE) as testbed:
        claims = [testbed.store.fault("hold_before", "PutSecretValue", nth=nth) for nth in range(1, runs + 1)]
        workers = [testbed.begin() for _ in range(runs)]
        for claim in claims:
            claim.wait()
        for claim in claims:
            claim.release()

        outcomes = sorted(run.name for run in wait_for_all(workers))
        assert "refreshed" in outcomes
        assert OUTCOMES >= set(outcomes)
        assert_refreshed_once(testbed)


def test_forced_together() -> None:
    """A forced run that meets another's claim waits for its tokens and ends fresh, without a request of its own."""
    with Testbed(SINGLE_USE, due=False) as testbed:
        testbed.endpoint.play(script.hold("after_commit"))
        with testbed.begin(FORCED) as first:
            testbed.endpoint.wait_until_held()
            # Its first four reads are the claim, the current version and what is stored under the claim.
            polled = testbed.store.fault("hold_before", "GetSecretValue", nth=5)
            with testbed.begin(FORCED) as second:
                polled.wait()
                testbed.endpoint.release()
                assert "refreshed" == first.wait().name
                polled.release()
                assert "fresh" == second.wait().name

        assert_refreshed_once(testbed)
