"""What a million reads of a secret cost: each read a call, a cache in each Lambda process, a cache in one service."""

from collections.abc import Callable
from datetime import timedelta

from benchmarks.reader_day import DAY_SECONDS, READS, START, SimulatedClock, SimulatedStore
from benchmarks.reader_subjects import SECRET_ID
from token_refresh.reader import Runtime, SecretReader

USD_FOR_10_000_CALLS = 0.05
INVOCATIONS_OF_A_PROCESS = 20
"""Of which the first is a cold start: 5 %."""
PROCESSES = 100
"""That run at once: with them, a process lives for less than three minutes of a day of a million invocations."""

Price = dict[str, float]


def measure() -> dict[str, Price]:
    """Count the calls of each way, and price them."""
    ways: dict[str, Callable[[SimulatedStore, SimulatedClock], Callable[[int], object]]] = {
        "each read a call": _uncached,
        "SecretReader, 5 % cold starts": _in_lambda,
        "SecretReader, one process": _in_a_service,
    }
    return {name: _price(start) for name, start in ways.items()}


def _price(start: Callable[[SimulatedStore, SimulatedClock], Callable[[int], object]]) -> Price:
    clock = SimulatedClock()
    store = SimulatedStore(clock)
    store.put()
    read = start(store, clock)
    for number in range(READS):
        clock.now = START + number * (DAY_SECONDS / READS)
        read(number)
    return {"calls": store.calls, "usd": round(store.calls / 10_000 * USD_FOR_10_000_CALLS, 4)}


def _uncached(store: SimulatedStore, _clock: SimulatedClock) -> Callable[[int], object]:
    return lambda _: store.get_secret_value(SecretId=SECRET_ID)


def _in_lambda(store: SimulatedStore, clock: SimulatedClock) -> Callable[[int], object]:
    processes = [_reader(store, clock, background=False) for _ in range(PROCESSES)]

    def read(number: int) -> object:
        process, invocation = number % PROCESSES, number // PROCESSES
        if invocation and invocation % INVOCATIONS_OF_A_PROCESS == 0:
            processes[process] = _reader(store, clock, background=False)
        return processes[process].text()

    return read


def _in_a_service(store: SimulatedStore, clock: SimulatedClock) -> Callable[[int], object]:
    reader = _reader(store, clock, background=True)
    return lambda _: reader.text()


def _reader(store: SimulatedStore, clock: SimulatedClock, *, background: bool) -> SecretReader:
    """Make one with its default time to live of 300 s."""
    runtime = Runtime(clock=clock, spawn=lambda work: work(), chance=lambda: 0.5)
    return SecretReader(
        SECRET_ID,
        ttl=timedelta(minutes=5),
        client=store,  # type: ignore[arg-type] # a client and its store in one
        background=background,
        runtime=runtime,
    )
