"""A day and an outage in simulated time: what each reader asks, serves and refuses."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import EndpointConnectionError

from benchmarks.reader_subjects import SECRET_ID, Subject, simulated_time
from token_refresh.reader import Runtime
from token_refresh.stored.refresh_window import LARGEST_PART

START = 1_800_000_000.0
DAY_SECONDS = 86_400.0
LIFETIME_SECONDS = 3600.0
READS = 1_000_000
OUTAGE_SECONDS = range(480, 2280)  # from the 8th to the 38th minute


class SimulatedStore:
    """A client and its Secrets Manager in one: holds one token, counts calls, and can be down."""

    def __init__(self, clock: "SimulatedClock") -> None:
        self.clock = clock
        self.calls = 0
        self.down = False
        self.number = 0
        self.created_at = self.expires_at = 0.0

    def put(self) -> None:
        """Store the next token, as the worker does."""
        self.number += 1
        self.created_at = self.clock()
        self.expires_at = self.created_at + LIFETIME_SECONDS

    @property
    def meta(self) -> Any:
        """Give what readers look at of a client: its region."""
        return type("Meta", (), {"region_name": "eu-central-1"})

    def get_secret_value(self, **_: object) -> dict[str, Any]:
        """Respond as Secrets Manager does."""
        self._count()
        document = {
            "accessToken": str(self.number),
            "refreshToken": "refresh",
            "expiresAt": round(self.expires_at * 1000),
        }
        return {
            "Name": SECRET_ID,
            "VersionId": f"version-{self.number}",
            "SecretString": json.dumps(document),
            "CreatedDate": datetime.fromtimestamp(self.created_at, UTC),
        }

    def describe_secret(self, **_: object) -> dict[str, Any]:
        """Respond as Secrets Manager does."""
        self._count()
        return {"VersionIdsToStages": {f"version-{self.number}": ["AWSCURRENT"]}}

    def _count(self) -> None:
        self.calls += 1
        if self.down:
            raise EndpointConnectionError(endpoint_url="simulated")


class SimulatedClock:
    """The time of the simulation, in Unix seconds."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Give the time."""
        return self.now


@dataclass(slots=True, kw_only=True)
class Day:
    """What became of a day's reads."""

    calls: int = 0
    expired_served: int = 0
    failed: int = 0
    failed_though_valid: int = 0
    longest_staleness_seconds: float = 0.0
    stale_reads: int = 0
    expiries: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def figures(self) -> dict[str, float]:
        """Give what is reported."""
        return {
            "calls": self.calls,
            "expired_tokens_served": self.expired_served,
            "failed_reads": self.failed,
            "failed_reads_while_a_valid_token_was_stored": self.failed_though_valid,
            "longest_staleness_seconds": round(self.longest_staleness_seconds, 1),
            "stale_reads_percent": round(100 * self.stale_reads / READS, 2),
        }


def simulate_day(subject: type[Subject], *, late: bool) -> dict[str, float]:
    """Read a million times in a day while a worker refreshes an hour's token.

    Early: at the beginning of the refresh window, with up to 30 s of jitter. Late: up to five minutes after its expiry,
    every time, so that there are minutes in which no valid token exists.
    """
    clock = SimulatedClock()
    store = SimulatedStore(clock)
    store.put()
    refreshes = _refreshes(late=late)
    with simulated_time(clock):
        return _read_all(subject(store, _surroundings(clock)), store, refreshes).figures


def simulate_outage(subject: type[Subject]) -> dict[str, float]:
    """Read ten times a second through 30 minutes without Secrets Manager, with a token that stays valid."""
    clock = SimulatedClock()
    store = SimulatedStore(clock)
    store.put()
    day = Day()
    with simulated_time(clock):
        reader = subject(store, _surroundings(clock))
        for tenth in range(24_000):  # up to the 40th minute
            clock.now = START + tenth / 10
            store.down = tenth // 10 in OUTAGE_SECONDS
            _read(reader, store, day, known_at=START)
    return {"failed_reads": day.failed, "calls": store.calls}


def _surroundings(clock: SimulatedClock) -> Runtime:
    """Have background reads end within the simulated moment, and chance be the same in each run."""
    return Runtime(clock=clock, spawn=lambda work: work(), chance=random.Random(7).random)  # noqa: S311 - no secret


def _refreshes(*, late: bool) -> Iterator[float]:
    chance = random.Random(7)  # noqa: S311 - the same day for everyone
    at = START
    while True:
        life_seconds = LIFETIME_SECONDS + chance.uniform(60, 300) if late else LIFETIME_SECONDS * (1 - LARGEST_PART)
        at += life_seconds + (0 if late else chance.uniform(0, 30))
        yield at


def _read_all(reader: Subject, store: SimulatedStore, refreshes: Iterator[float]) -> Day:
    day, clock = Day(), store.clock
    refresh_at = next(refreshes)
    for number in range(READS):
        now = START + number * (DAY_SECONDS / READS)
        if now >= refresh_at:
            clock.now = refresh_at
            store.put()
            refresh_at = next(refreshes)
        clock.now = now
        _read(reader, store, day, known_at=store.created_at)
    day.calls = store.calls
    return day


def _read(reader: Subject, store: SimulatedStore, day: Day, *, known_at: float) -> None:
    now, newest = store.clock.now, str(store.number)
    day.expiries.setdefault(newest, store.expires_at)
    try:
        token = reader.token()
    except Exception:  # noqa: BLE001 - each reader has its own errors, and all of them refuse the read
        day.failed += 1
        day.failed_though_valid += now < store.expires_at
        return
    day.expired_served += now >= day.expiries[token]
    if token != newest:
        day.stale_reads += 1
        day.longest_staleness_seconds = max(day.longest_staleness_seconds, now - known_at)
