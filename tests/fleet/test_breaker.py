from dataclasses import replace
from datetime import timedelta
from itertools import chain
from math import inf

import pytest

from fleet.rows import HOST, failed, row, seen, sent
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.fleet.core.breaker import Breaker, BreakerReason, open_breakers, rejecting_lanes, runs_allowed
from token_refresh_worker.fleet.core.repair import tried_early
from token_refresh_worker.fleet.core.row import BUSY, REJECTED, LastRun, Row, State

SECOND = timedelta(seconds=1)
UNREACHABLE = "TokenEndpointUnavailable"
UNKNOWN = "RefreshOutcomeUnknown"


def history(*runs: LastRun) -> list[Row]:
    return [row(f"secret-{number}", found=run) for number, run in enumerate(runs)]


def some(
    count: int, error_type: str | None, *, newest: timedelta = MINUTE, state: State = State.HEALTHY
) -> list[LastRun]:
    """Runs one second apart, the newest so long ago."""
    times = [NOW - newest - number * SECOND for number in range(count)]
    return [failed(error_type, at=at, state=state) if error_type else seen(at=at) for at in times]


LANE = f"xero/{HOST}"


def opened(runs: list[LastRun], *, single_use: bool = False, others: int = 0, unreported: int = 0) -> Breaker | None:
    """The breaker of one host."""
    idle = seen(requests=0)
    rows = history(*runs) + [row(f"other-{number}", found=idle) for number in range(others)]
    found = open_breakers(rows, single_use=lambda _: single_use, unreported={LANE: unreported}, now=NOW)
    assert {LANE} >= found.keys()
    return found.get(LANE)


def of_provider(runs: list[LastRun], *, single_use: bool = False) -> Breaker | None:
    """The breaker of a provider whose tenants have a host each."""
    each = [replace(run, host=str(n), sent=replace(run.sent, host=str(n))) for n, run in enumerate(runs) if run.sent]
    found = open_breakers(history(*each), single_use=lambda _: single_use, unreported={}, now=NOW)
    assert {"xero"} >= found.keys()
    return found.get("xero")


def test_half_without_response() -> None:
    """A breaker opens when half of the last 20 runs, or the last four, got no response, and not before."""
    mixed = some(3, UNREACHABLE) + some(1, None, newest=2 * MINUTE)

    half = [*mixed, *some(7, UNREACHABLE, newest=3 * MINUTE), *some(9, None, newest=4 * MINUTE)]
    assert Breaker(reason=BreakerReason.NO_RESPONSE, allowed=0) == opened(half)
    assert opened([*mixed, *some(6, UNREACHABLE, newest=3 * MINUTE), *some(10, None, newest=4 * MINUTE)]) is None
    assert opened(some(4, UNREACHABLE) + some(50, None, newest=2 * MINUTE)) is not None
    assert opened(some(3, UNREACHABLE) + some(50, None, newest=2 * MINUTE)) is None
    assert opened([failed(UNKNOWN, at=NOW - MINUTE, requests=0)] * 20) is None, "no request was sent"
    assert opened(some(20, UNREACHABLE, newest=HOUR)) is None, "an hour ago"
    assert opened(some(20, "TokenRequestRejected")) is None, "it responded"


def test_a_dead_host_is_asked_less_and_less() -> None:
    """The pause between two probes grows with the time since the last success, to seven minutes."""
    for error, good, pause in ((UNREACHABLE, 3, 2), (UNREACHABLE, 8, 4), (UNREACHABLE, 50, 7), (UNKNOWN, 50, 7)):
        runs = [*some(6, error, newest=pause * MINUTE), seen(at=NOW - good * MINUTE - pause * MINUTE)]
        due = [breaker.allowed for at in (-SECOND, 5 * SECOND) if (breaker := _at(runs, at))]

        assert [0, 1] == due, (error, good)


def _at(runs: list[LastRun], ahead: timedelta) -> Breaker | None:
    return open_breakers(history(*runs), single_use=lambda _: True, unreported={}, now=NOW + ahead).get(LANE)


def test_a_provider_with_dead_hosts() -> None:
    """A provider's breaker counts first failures alone, and opens only where nearly all of its hosts fail."""
    again = [replace(run, sent=replace(run.sent, failures=2)) for run in some(30, UNREACHABLE) if run.sent]

    assert BreakerReason.NO_RESPONSE is getattr(of_provider(some(15, UNREACHABLE)), "reason", None)
    assert BreakerReason.UNKNOWN_OUTCOMES is getattr(of_provider(some(15, UNKNOWN), single_use=True), "reason", None)
    assert of_provider(some(14, UNREACHABLE)) is None
    assert of_provider(some(17, UNREACHABLE) + some(3, None, newest=2 * MINUTE)) is None
    assert of_provider(some(20, UNREACHABLE) + some(20, None, newest=2 * MINUTE)) is None, "the dead end late"
    assert of_provider(some(20, UNREACHABLE) + some(20, None, newest=5 * MINUTE)) is not None
    assert of_provider(again) is None
    # A dead host that many tenants share opens its own breaker, and feeds none beside it.
    shared = [*history(*some(30, UNREACHABLE)), row("another", found=seen(at=NOW - MINUTE, host="another.example"))]
    assert {LANE} == open_breakers(shared, single_use=lambda _: False, unreported={}, now=NOW).keys()


def test_a_host_of_another_day() -> None:
    """What a tenant's former host did says nothing about the host of today."""
    moved = [replace(run, host="new.example") for run in some(20, UNREACHABLE)]

    assert {} == open_breakers(history(*moved), single_use=lambda _: True, unreported={}, now=NOW)


def test_silence() -> None:
    """Ten runs that do not report, while none succeeds for a minute, open the breaker until they have.

    In a herd of hundreds, half as many successes are needed.
    """
    silent = Breaker(reason=BreakerReason.SILENT, allowed=0)

    assert silent == opened(some(1, None, newest=60 * SECOND), unreported=10)
    assert opened(some(1, None, newest=60 * SECOND), unreported=9) is None
    assert opened(some(1, None, newest=59 * SECOND), unreported=10) is None
    assert opened(some(1, BUSY, newest=59 * SECOND), unreported=10) is None, "it refused one, so it is there"
    assert silent == opened(some(1, None, newest=59 * SECOND), unreported=400)
    assert opened(some(1, None, newest=59 * SECOND) * 200, unreported=399) is None
    assert silent == opened(some(1, None, newest=59 * SECOND) * 200, unreported=400)
    assert opened(some(1, None, newest=59 * SECOND) * 201, unreported=401) is None


def test_slow_start() -> None:
    """Five runs at once, and five more for each success of the last five minutes; after five, no limit."""
    good = some(21, None)
    found = [runs_allowed(history(*good[:count]), NOW) for count in (0, 1, 4, 5)]

    assert [None, 10, 25, inf] == [room.get(LANE) for room in found]
    assert [None, 10, 25, inf] == [room.get("xero") for room in found]
    assert {} == runs_allowed([row(new=True), *history(*some(1, None, newest=5 * MINUTE))], NOW)


@pytest.mark.parametrize(
    ("error_type", "pause", "reason"),
    [
        (UNREACHABLE, 2 * MINUTE, BreakerReason.NO_RESPONSE),
        ("ClientRejected", 10 * MINUTE, BreakerReason.CLIENT_REJECTED),
    ],
)
def test_half_open(error_type: str, pause: timedelta, reason: BreakerReason) -> None:
    """After the pause one run may try; before it, none."""
    good = some(1, None, newest=pause + MINUTE)

    assert Breaker(reason=reason, allowed=0) == opened(some(8, error_type, newest=pause - SECOND) + good)
    assert Breaker(reason=reason, allowed=1) == opened(some(8, error_type, newest=pause) + good)


def test_recovery_in_steps() -> None:
    """Each run in a row that succeeds lets five more through, until the breaker closes."""
    outage = some(20, UNREACHABLE, newest=5 * MINUTE)

    found = [opened(some(count, None) + outage) for count in (1, 2, 3)]
    assert [5, 10, 15] == [breaker.allowed for breaker in found if breaker]
    assert opened(some(11, None) + outage) is None


def test_unknown_outcomes_of_single_use_tokens() -> None:
    """At a single-use provider three in a row are enough, since each more risks a grant."""
    three = some(3, UNKNOWN)

    assert Breaker(reason=BreakerReason.UNKNOWN_OUTCOMES, allowed=0) == opened(three, single_use=True)
    for newest, allowed in ((5 * MINUTE - SECOND, 0), (5 * MINUTE, 1)):
        found = opened(some(3, UNKNOWN, newest=newest), single_use=True)
        assert Breaker(reason=BreakerReason.UNKNOWN_OUTCOMES, allowed=allowed) == found
    assert opened(three, single_use=False) is None
    assert opened(some(2, UNKNOWN), single_use=True) is None
    assert opened(some(4, None) + some(3, UNKNOWN, newest=5 * MINUTE), single_use=True) is None
    assert opened([*some(2, UNKNOWN), *some(1, UNREACHABLE, newest=2 * MINUTE)], single_use=True) is None


def rejected(count: int, *, newest: timedelta = MINUTE, failures: int = 1) -> list[LastRun]:
    """Grants that the provider rejected, one second apart."""
    runs = some(count, REJECTED, newest=newest, state=State.REAUTHORIZE)
    return [replace(run, since=run.at, sent=replace(run.sent, failures=failures)) for run in runs if run.sent]


def revived(*, at: timedelta = 2 * MINUTE) -> LastRun:
    """A grant that the provider rejected, and then took."""
    return replace(seen(at=NOW - at), mended=REJECTED, mended_at=NOW - at)


def test_a_provider_rejects_whatever_comes() -> None:
    """More than five first rejections in a row within ten minutes, and nothing else for five, show that it errs."""
    burst = [*rejected(5), *rejected(1, newest=6 * MINUTE)]

    assert Breaker(reason=BreakerReason.REJECTED_GRANTS, allowed=0) == opened(burst, others=1000)
    assert opened(burst[1:]) is None
    assert opened(rejected(50)) is None, "of one minute: a cohort"
    assert opened(burst + some(1, None, newest=2 * SECOND)) is None, "it took one since"
    assert opened([*rejected(3), *rejected(3, newest=11 * MINUTE - 2 * SECOND)]) is not None
    assert opened([*rejected(3), *rejected(3, newest=11 * MINUTE - SECOND)]) is None
    assert opened([*rejected(5), *rejected(9, newest=6 * MINUTE, failures=2)]) is None, "tries are no burst"
    for newest, allowed in ((5 * MINUTE - SECOND, 0), (5 * MINUTE, 1)):
        found = opened([*rejected(1, failures=2), *rejected(5, newest=newest), *rejected(1, newest=11 * MINUTE)])
        assert Breaker(reason=BreakerReason.REJECTED_GRANTS, allowed=allowed) == found


def test_a_host_rejects_more_than_it_takes() -> None:
    """Each rejected grant of the last ten minutes counts once, for its host and for its provider."""

    def rejecting(*runs: list[LastRun]) -> set[str]:
        return rejecting_lanes(history(*chain(*runs)), NOW)

    assert {LANE, "xero"} == rejecting(rejected(3), some(2, None))
    assert set() == rejecting(rejected(3), some(3, None))
    assert {LANE, "xero"} == rejecting(rejected(3), some(3, None, newest=10 * MINUTE), some(3, UNREACHABLE))
    assert set() == rejecting(rejected(3, newest=10 * MINUTE)) | rejecting(rejected(3, failures=2))
    assert {LANE} == rejecting(rejected(1), [seen(at=NOW - MINUTE, host="another")] * 9)


def test_a_provider_takes_what_it_rejected() -> None:
    """In a burst, a rejected grant that the provider takes shows that it errs; a single one is no burst."""
    runs = [*some(280, None, newest=4 * MINUTE), *rejected(120, newest=4 * MINUTE)]

    assert opened(runs) is None, "a tenant takes them back"
    assert Breaker(reason=BreakerReason.REJECTED_GRANTS, allowed=10) == opened([*runs, revived()])
    assert Breaker(reason=BreakerReason.REJECTED_GRANTS, allowed=95) == opened([*runs, revived(), *some(17, None)])
    assert opened([*runs, revived(), *some(18, None)]) is None, "it has taken twenty in a row"
    assert opened([*runs, revived(), *some(18, None), *rejected(1, failures=2)]) is not None, "or not"
    assert opened([*runs, revived(at=HOUR)]) is None
    assert opened([*some(280, None), *rejected(6), revived()]) is not None, "two in a hundred"
    assert opened([*some(280, None), *rejected(5), revived()]) is None
    assert opened([*some(694, None), *rejected(6), revived()]) is None, "one in a hundred is no burst"
    authorized = [replace(run, state=State.HEALTHY) for run in rejected(6)]
    assert opened([*some(280, None), *authorized, revived()]) is None, "they live again"
    moved = replace(revived(), sent=sent(None, at=revived().at, host="another"))
    assert opened([*rejected(9, failures=2), moved]) is None, "another host took it"
    # Somebody authorized again: the run found fresh tokens, and sent nothing.
    assert opened([*runs, replace(revived(), sent=rejected(1)[0].sent)]) is None


def test_a_burst_is_tried_again() -> None:
    """Each minute one of its grants, by lot; all of them, each every five minutes, once the provider took one."""
    dead = history(*rejected(120, newest=6 * MINUTE))
    good = [row(f"good-{n}", found=run) for n, run in enumerate(some(280, None))]
    taken = row("taken", found=revived())

    drawn = [tried_early([*dead, *good], NOW + n * MINUTE) for n in range(20)]

    assert {1} == set(map(len, drawn))
    assert 10 < len(set.union(*drawn))
    assert {each.secret_arn for each in dead} == tried_early([*dead, *good, taken], NOW)
    assert set() == tried_early([*history(*rejected(120)), *good], NOW), "a minute ago"
    assert 1 == len(tried_early([*dead, *good], NOW + 110 * MINUTE))
    assert set() == tried_early([*dead, *good], NOW + 2 * HOUR), "they are dead"
    refused = [replace(each, seen=replace(each.seen, sent=sent(BUSY, at=NOW))) for each in dead if each.seen]
    assert {1} == {len(tried_early([*refused, *good], NOW))}, "a busy host tells nothing about them"
    assert set() == tried_early([*dead[:5], *good, taken], NOW), "single customers"
    ended = [replace(each, seen=replace(each.seen, sent=sent(None, at=NOW - HOUR))) for each in dead if each.seen]
    assert set() == tried_early([*ended, *good, taken], NOW), "the provider rejected none of them"
