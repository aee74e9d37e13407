import argparse
import io
from functools import partial

import pytest
from rich.console import Console

from benchmarks.fleet import ALL, run
from benchmarks.fleets.goals import Result
from benchmarks.fleets.world import WINDOW, World
from examples import drawn
from testbed.builders import MINUTE
from testbed.virtual_clock import VirtualClock

ORDINARY = """
    herd copies steady lost-index half-quota limited throttled deployment hanging writes-refused slow-herd poison
    failing-minutes growth small-account late-scheduler redeemed-and-lost revoked gap bucket
"""
SMALL_WORLDS = dict.fromkeys(ORDINARY.split(), (60, 1)) | {
    "hosts": (30, 11),
    "store-away": (30, 1),
    "tight-rate": (30, 1),
    "busy": (30, 1),
    "unknown": (50, 1),
    "hanging-herd": (400, 1),
    "onboarding": (30, 0),
    "bad-members": (40, 8),
    "store-beside": (60, 2),
    "unkept": (60, 2),
    "lagging-index": (60, 3),
    "failing-table": (60, 4),
    "repair": (30, 2),
    "rejecting": (400, 1),
    "gateway": (100, 2),
    "busy-herd": (60, 2),
    "own-traffic": (60, 3),
    "always-refused": (60, 1),
    "counts-refused": (120, 2),
    "flapping": (60, 2),
}
"""Of each scenario: how many secrets, and a seed."""


def test_small_worlds() -> None:
    """With few secrets, a fleet reaches each goal: in a sixth of the scenarios in each run, each night in all."""
    for scenario in drawn(sorted(SMALL_WORLDS), 6):
        results = list(ALL[scenario](*SMALL_WORLDS[scenario]))

        assert results, scenario
        assert [] == [result for result in results if not result.reached], scenario


def test_runs_refresh() -> None:
    """The runs themselves refresh each secret once, without an error; one seed is the same day each time."""
    days = [World({"alpha": 20}, due=lambda number, _: float(number), seed=7) for _ in range(2)]
    for world in days:
        world.run(5)

    assert [(20, {})] * 2 == [(world.tally.refreshed, world.tally.errors) for world in days]
    assert days[0].tally.late == days[1].tally.late


def test_the_benchmark_sees_a_fault() -> None:
    """Without a dispatcher tokens expire, and the benchmark counts them."""
    world = World({"alpha": 10}, due=lambda _n, _c: 0.0)
    world.deaf = (0.0, 1e9)
    world.run(WINDOW // MINUTE + 1)

    assert 10 == len(world.tally.expired)


def test_results() -> None:
    """A figure is judged against its limit from the right side."""
    two = [Result(scenario="s", what="w", figure=2, limit=1, at_least=at_least) for at_least in (False, True)]

    assert [False, True] == [result.reached for result in two]


def test_the_clock_is_deterministic() -> None:
    """Sleeping jobs wake in the order of their times, and an error in a job ends the run."""
    clock, order = VirtualClock(), []

    def job(name: int, seconds: float) -> None:
        clock.sleep(seconds)
        order.append((name, clock.seconds))

    for number, seconds in enumerate((3.0, 1.0, 2.0)):
        clock.start(partial(job, number, seconds))
    clock.run_until(10)
    assert [(1, 1.0), (2, 2.0), (0, 3.0)] == order

    def fails() -> None:
        raise ValueError

    clock.start(fails)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        clock.run_until(20)
    with pytest.raises(RuntimeError, match="only a job may sleep"):
        clock.sleep(1)


def test_each_seed_is_played_in_a_process() -> None:
    """Whatever way a Python starts processes in, each scenario is played with each seed, and its figures come back."""
    options = argparse.Namespace(secrets=20, seed=5, seeds=2, processes=2)

    figures = run(["revoked"], options, Console(file=io.StringIO()))

    assert [5, 6] == sorted({seed for seed, _ in figures})
    assert [*ALL["revoked"](20, 5)] == [result for seed, result in figures if seed == 5]
