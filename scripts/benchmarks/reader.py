"""Measures `token_refresh.reader` beside the readers that people use today, and judges its promises.

Times are minima of rounds in turns on this machine. Days and outages run in simulated time. Calls are counted at a real
HTTP store on loopback, which the real boto3 client reads. Exits with 1 where a promise of the reader is broken.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.reader_subjects import FIRST_READS, SECRET_ID, SUBJECTS, Bare, Start, simulated_time
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import Runtime
from token_refresh.stored.refresh_window import LARGEST_PART

Figures = dict[str, dict[str, float]]
"""Of each subject, by its name."""

ROUNDS, READS_A_ROUND, FIRST_READ_ROUNDS = 101, 1_000, 5
FIFTY = 50
START, DAY_SECONDS, LIFETIME_SECONDS = 1_800_000_000.0, 86_400.0, 3600.0
READS = 1_000_000
OUTAGE_SECONDS = range(480, 2280)  # from the 8th to the 38th minute
CALLS_A_DAY = 60
"""Of `TokenReader`, with a token of one hour."""

ROWS: Final = {
    "cached_read_ns": "cached read, CPU-ns",
    "calls_for_50_misses": "calls for 50 simultaneous misses",
    "calls_for_50_401s": "calls for 50 simultaneous 401s",
    "early_calls": "day, worker early: calls",
    "early_expired": "day, worker early: expired tokens served",
    "early_refused": "day, worker early: reads refused",
    "late_calls": "day, worker late: calls",
    "late_expired": "day, worker late: expired tokens served",
    "late_refused": "day, worker late: reads refused",
    "outage_refused": "30 min outage: reads refused",
    "first_read_ms": "import and first read, ms",
}
ROWS_OF_NONE: Final = ("early_expired", "late_expired", "early_refused", "outage_refused")


def main() -> int:
    """Measure, show and judge."""
    argparse.ArgumentParser(prog="scripts/bench reader", description=__doc__.splitlines()[0]).parse_args()
    figures: Figures = {name: {} for name in SUBJECTS}
    with Console(stderr=True).status("cached reads") as status:
        bare_ns = measure_cached_reads(figures)
        for name in SUBJECTS:
            status.update(f"{name}: calls, first reads, simulated days")
            figures[name] |= measure(name)
    found = promises(figures, bare_ns)
    show(figures, bare_ns, found)
    return 0 if all(found.values()) else 1


def promises(figures: Figures, bare_ns: float) -> dict[str, bool]:
    """Say of each promise of the reader whether it held in this run."""
    ours, ns = figures["TokenReader"], {name: own["cached_read_ns"] for name, own in figures.items()}
    return {
        "a cached read takes at most 1.15 times a bare check": ns["TokenReader"] <= 1.15 * bare_ns,
        "a cached read is faster than a dictionary with a time to live": ns["TokenReader"] < ns["TTL dict"],
        "a cached read is at least 20 times faster than Powertools": 20 * ns["TokenReader"] <= ns["powertools"],
        "50 simultaneous misses make 1 call": ours["calls_for_50_misses"] == 1,
        "50 simultaneous 401s make 1 call": ours["calls_for_50_401s"] == 1,
        "at most 60 calls a day for a one-hour token": ours["early_calls"] <= CALLS_A_DAY,
        **{f"{ROWS[key]}: none": ours[key] == 0 for key in ROWS_OF_NONE},
    }


def show(figures: Figures, bare_ns: float, found: dict[str, bool]) -> None:
    """Print the tables, in Markdown, and the promises."""
    table = Table("", box=box.MARKDOWN, title="Reading a token from AWS Secrets Manager")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for key, words in ROWS.items():
        said = f"{words} (a bare check: {bare_ns:.0f})" if key == "cached_read_ns" else words
        table.add_row(said, *(f"{own[key]:,.0f}" for own in figures.values()))
    console = Console(width=140)
    console.print(table)
    for promise, holds in found.items():
        console.print(f"{'[green]kept[/]  ' if holds else '[red]BROKEN[/]'}  {promise}", highlight=False)


def measure_cached_reads(figures: Figures) -> float:
    """Time cached reads; return what a bare check takes, in ns.

    The CPU time counts: nothing waits here, and the clock would count what else the machine does. The rounds of all
    readers take turns, and the least of each is what it takes.
    """
    with SecretsManagerServer() as server:
        store_token(server)
        client = server.client()
        reads: dict[str, Callable[[], object]] = {"bare": Bare().get}
        reads |= {name: start(client, Runtime()).token for name, start in SUBJECTS.items()}
        least = dict.fromkeys(reads, float("inf"))
        for _ in range(ROUNDS):
            for name, read in reads.items():
                read()
                took = timeit.timeit(read, timer=time.thread_time, number=READS_A_ROUND)
                least[name] = min(least[name], took / READS_A_ROUND * 1e9)
    for name, own in figures.items():
        own["cached_read_ns"] = least[name]
    return least["bare"]


def measure(name: str) -> dict[str, float]:
    """Measure all else of one reader."""
    start = SUBJECTS[name]
    early, late = simulate_day(start, late=False), simulate_day(start, late=True)
    return {
        "calls_for_50_misses": count_misses(start),
        "calls_for_50_401s": count_rejections(start),
        "first_read_ms": min(_first_read(name) for _ in range(FIRST_READ_ROUNDS)),
        **{f"early_{what}": figure for what, figure in early.items()},
        **{f"late_{what}": figure for what, figure in late.items()},
        "outage_refused": simulate_outage(start),
    }


def count_misses(start: Start) -> int:
    """Count the calls that fifty threads make whose reader has no token yet."""
    with SecretsManagerServer() as server:
        store_token(server)
        _at_once(start(_client(server), Runtime()).token)
        return _calls(server)


def count_rejections(start: Start) -> int:
    """Count the calls that fifty threads make after the API responded with 401 to their token."""
    with SecretsManagerServer() as server:
        store_token(server)
        reader = start(_client(server), Runtime())
        rejected = reader.token()
        store_token(server, "second")
        before = _calls(server)
        _at_once(lambda: (reader.after_401(rejected), reader.token()))
        return _calls(server) - before


class SimulatedStore:
    """A client, its Secrets Manager and the time in one: holds one token, counts calls, and can be down."""

    meta: ClassVar = type("Meta", (), {"region_name": "eu-central-1"})

    def __init__(self) -> None:
        self.now, self.calls, self.number, self.down = START, 0, 0, False
        self.put()

    def clock(self) -> float:
        """Return the simulated time, in Unix seconds."""
        return self.now

    def put(self) -> None:
        """Store the next token, as the worker does."""
        self.number += 1
        self.created_at, self.expires_at = self.now, self.now + LIFETIME_SECONDS

    def get_secret_value(self, **_: object) -> dict[str, Any]:
        """Respond as Secrets Manager does."""
        self._count()
        tokens = {"accessToken": f"{self.number} {self.expires_at}", "refreshToken": "refresh"}
        return {
            "Name": SECRET_ID,
            "VersionId": f"version-{self.number}",
            "SecretString": json.dumps(tokens | {"expiresAt": round(self.expires_at * 1000)}),
            "CreatedDate": datetime.fromtimestamp(self.created_at, UTC),
        }

    def describe_secret(self, **_: object) -> dict[str, Any]:
        """Respond as Secrets Manager does."""
        self._count()
        return {"VersionIdsToStages": {f"version-{self.number}": ["AWSCURRENT"]}}

    def runtime(self) -> Runtime:
        """Have background reads end within the simulated moment, and chance be the same in each run."""
        return Runtime(clock=self.clock, spawn=lambda work: work(), chance=random.Random(7).random)  # noqa: S311 - no secret

    def _count(self) -> None:
        self.calls += 1
        if self.down:
            raise EndpointConnectionError(endpoint_url="simulated")


def simulate_day(start: Start, *, late: bool) -> dict[str, float]:
    """Read a million times in a day while a worker refreshes an hour's token.

    Early: at the beginning of the refresh window, with up to 30 s of jitter. Late: up to five minutes after its expiry,
    every time, so that there are minutes in which no valid token exists.
    """
    store, chance, expired, refused = SimulatedStore(), random.Random(7), 0, 0  # noqa: S311 - the same for everyone

    def next_refresh(at: float) -> float:
        if late:
            return at + LIFETIME_SECONDS + chance.uniform(60, 300)
        return at + LIFETIME_SECONDS * (1 - LARGEST_PART) + chance.uniform(0, 30)

    refresh_at = next_refresh(START)
    with simulated_time(store.clock):
        reader = start(store, store.runtime())
        for number in range(READS):
            now = START + number * (DAY_SECONDS / READS)
            if now >= refresh_at:
                store.now = refresh_at
                store.put()
                refresh_at = next_refresh(refresh_at)
            store.now = now
            try:
                expired += now >= float(reader.token().partition(" ")[2])
            except Exception:  # noqa: BLE001 - each reader has its own errors, and all of them refuse the read
                refused += 1
    return {"calls": store.calls, "expired": expired, "refused": refused}


def simulate_outage(start: Start) -> int:
    """Read ten times a second through 30 minutes without Secrets Manager; count the reads that are refused."""
    store, refused = SimulatedStore(), 0
    with simulated_time(store.clock):
        reader = start(store, store.runtime())
        for tenth in range(24_000):  # up to the 40th minute
            store.now, store.down = START + tenth / 10, tenth // 10 in OUTAGE_SECONDS
            try:
                reader.token()
            except Exception:  # noqa: BLE001 - as above
                refused += 1
    return refused


def store_token(server: SecretsManagerServer, value: str = "first") -> None:
    """Store a token that lives for a day by the machine's clock."""
    expires_at = round((server.now() + DAY_SECONDS) * 1000)
    text = json.dumps({"accessToken": value, "refreshToken": "refresh", "expiresAt": expires_at})
    operation, key = ("PutSecretValue", "SecretId") if server.secrets.find(SECRET_ID) else ("CreateSecret", "Name")
    server.call(operation, {key: SECRET_ID, "SecretString": text, "ClientRequestToken": value.rjust(32, "-")})


def _first_read(name: str) -> float:
    """Time the import and the first read in a new process, in ms, against the store on loopback."""
    timed = "import time\nstarted = time.perf_counter()\n{}\nprint((time.perf_counter() - started) * 1000)"
    command = [sys.executable, "-c", timed.format(FIRST_READS[name])]
    with SecretsManagerServer() as server:
        store_token(server)
        environment = server.environment
        return float(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)  # noqa: S603 - ours


def _client(server: SecretsManagerServer) -> Any:
    return server.client(config=Config(max_pool_connections=FIFTY))


def _calls(server: SecretsManagerServer) -> int:
    return sum(logged.call.secret_id == SECRET_ID for logged in server.calls)


def _at_once(work: Callable[[], object]) -> None:
    barrier = threading.Barrier(FIFTY)
    with ThreadPoolExecutor(FIFTY) as pool:
        list(pool.map(lambda _: (barrier.wait(), work()), range(FIFTY)))


if __name__ == "__main__":
    sys.exit(main())
