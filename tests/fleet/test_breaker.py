from datetime import timedelta

import pytest

from builders import HOUR, MINUTE, NOW
from fleet.rows import failed, row, seen
from token_refresh_worker.fleet.core.breaker import Breaker, BreakerReason, breaker_of
from token_refresh_worker.fleet.core.row import Row, Seen, State

SECOND = timedelta(seconds=1)
UNREACHABLE = "TokenEndpointUnavailable"
UNKNOWN = "RefreshOutcomeUnknown"


def history(*runs: Seen) -> list[Row]:
    return [row(f"secret-{number}", found=run) for number, run in enumerate(runs)]


def some(count: int, error_type: str | None, *, newest: timedelta = MINUTE, state: State = State.HEALTHY) -> list[Seen]:
    """Runs one second apart, the newest so long ago."""
    times = [NOW - newest - number * SECOND for number in range(count)]
    return [failed(error_type, at=at, state=state) if error_type else seen(at=at) for at in times]


def opened(runs: list[Seen], *, single_use: bool = False, others: int = 0) -> Breaker | None:
    rows = history(*runs) + [row(f"other-{number}", new=True) for number in range(others)]
    return breaker_of(rows, single_use=single_use, now=NOW)


def test_half_without_response() -> None:
    """A breaker opens when half of the last 20 runs got no response, and not before."""
    assert opened(some(10, UNREACHABLE) + some(10, None, newest=2 * MINUTE)) == Breaker(
        reason=BreakerReason.NO_RESPONSE, allowed=0
    )
    assert opened(some(9, UNREACHABLE) + some(11, None, newest=2 * MINUTE)) is None


def test_fewest_runs() -> None:
    """Four failures say too little; five open the breaker."""
    assert opened(some(4, UNREACHABLE)) is None
    assert opened(some(5, UNREACHABLE)) is not None


def test_only_the_last_twenty_runs_count() -> None:
    """An outage that is over does not keep the breaker open once 20 runs came after it."""
    assert opened(some(20, None) + some(50, UNREACHABLE, newest=5 * MINUTE)) is None


def test_only_runs_that_sent_a_request_count() -> None:
    """A held refresh sends nothing, so it says nothing about the provider."""
    assert opened([failed(UNKNOWN, at=NOW - MINUTE, requests=0)] * 20) is None


def test_old_runs_are_forgotten() -> None:
    """What a provider did more than an hour ago says nothing about this moment."""
    assert opened(some(20, UNREACHABLE, newest=HOUR)) is None


def test_errors_with_a_response_keep_it_closed() -> None:
    """A provider that responds with errors is there: each such secret fails alone."""
    assert opened(some(20, "TokenRequestRejected")) is None


@pytest.mark.parametrize(
    ("error_type", "pause", "reason"),
    [
        (UNREACHABLE, 2 * MINUTE, BreakerReason.NO_RESPONSE),
        ("ClientRejected", 10 * MINUTE, BreakerReason.CLIENT_REJECTED),
    ],
)
def test_half_open(error_type: str, pause: timedelta, reason: BreakerReason) -> None:
    """After the pause one run may try; before it, none."""
    assert Breaker(reason=reason, allowed=0) == opened(some(8, error_type, newest=pause - SECOND))
    assert Breaker(reason=reason, allowed=1) == opened(some(8, error_type, newest=pause))


def test_recovery_in_steps() -> None:
    """Each run in a row that succeeds lets five more through, until the breaker closes."""
    outage = some(20, UNREACHABLE, newest=5 * MINUTE)

    assert [5, 10, 15] == [
        breaker.allowed for count in (1, 2, 3) if (breaker := opened(some(count, None) + outage)) is not None
    ]
    assert opened(some(11, None) + outage) is None


def test_unknown_outcomes_of_single_use_tokens() -> None:
    """At a single-use provider three in a row are enough, unknown or not stored, since each more risks a grant."""
    three = some(2, UNKNOWN) + some(1, "TokensNotStored")

    assert Breaker(reason=BreakerReason.UNKNOWN_OUTCOMES, allowed=0) == opened(three, single_use=True)
    for newest, allowed in ((5 * MINUTE - SECOND, 0), (5 * MINUTE, 1)):
        found = opened(some(3, UNKNOWN, newest=newest), single_use=True)
        assert Breaker(reason=BreakerReason.UNKNOWN_OUTCOMES, allowed=allowed) == found
    assert opened(three, single_use=False) is None
    assert opened(some(2, UNKNOWN), single_use=True) is None
    assert opened(some(1, None) + some(3, UNKNOWN, newest=5 * MINUTE), single_use=True) is None
    assert opened([*some(2, UNKNOWN), *some(1, UNREACHABLE, newest=2 * MINUTE)], single_use=True) is None


def test_burst_of_rejected_grants() -> None:
    """More than five rejections within ten minutes, and more than a fifth of the provider, are the provider's error."""
    burst = some(6, "ReauthorizationRequired", state=State.REAUTHORIZE)

    assert Breaker(reason=BreakerReason.REJECTED_GRANTS, allowed=0) == opened(burst)
    assert opened(burst[:5]) is None
    assert opened(burst, others=24) is None, "six of thirty are a fifth and not more"
    assert opened(burst, others=23) is not None


def test_slow_rejections_are_no_burst() -> None:
    """Customers who revoke one after the other over the hour open nothing."""
    runs = [
        failed("ReauthorizationRequired", at=NOW - number * 4 * MINUTE, state=State.REAUTHORIZE) for number in range(12)
    ]

    assert opened(runs) is None
