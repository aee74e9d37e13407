import dataclasses

from benchmarks import worker
from benchmarks.worker import CONTENDERS, REFERENCE, Sample

SAMPLE = Sample(cold_ms=100, warm_ms=3, peak_memory_mb=45, store_calls=2, token_requests=1)


def medians(**cold_ms: float) -> dict[str, Sample]:
    return {
        contender.name: dataclasses.replace(SAMPLE, cold_ms=cold_ms.get(contender.outcome, 100))
        for contender in CONTENDERS
        if contender.name != REFERENCE
    } | {REFERENCE: SAMPLE}


def test_a_cold_start_at_its_limit_is_fast_enough() -> None:
    """The limits are 1.05 of the straightforward handler where nothing is due, and 1.20 for a refresh."""
    assert [] == worker.too_slow(medians(fresh=105.0, refreshed=119.9))


def test_a_cold_start_beyond_its_limit_is_named() -> None:
    """Which run takes too long, how long it takes, and how long it may."""
    expected = [
        "worker, nothing due takes 1.06 of the straightforward handler, and may take 1.05",
        "worker, refresh due takes 1.21 of the straightforward handler, and may take 1.20",
    ]

    assert expected == worker.too_slow(medians(fresh=106.0, refreshed=121.0))


def test_every_contender_does_its_job() -> None:
    """One process each, from the deployed zip: the outcome that it is measured for, with the calls that that takes."""
    measured = worker.run(rounds=1, unmeasured=0)

    calls = {name: (sample.store_calls, sample.token_requests) for name, sample in measured.items()}
    expected = {
        "floor: client, one read": (1, 0),
        "straightforward handler": (2, 1),
        "worker, nothing due": (2, 0),
        "worker, refresh due": (6, 1),
    }
    assert expected == calls
    assert len(expected) + 2 == len(worker.table(measured).splitlines())
