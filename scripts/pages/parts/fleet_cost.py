"""What a fleet costs in a month, and where it ends: computed from list prices and quotas."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from token_refresh_infra.fleet.alarms import FleetAlarms
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import WRITES_WITH_A_COPY, Fleet, Limits
from token_refresh_worker.fleet.core.gauges import measure

SIZES: Final = (40, 1_000, 10_000)
PROVIDERS: Final = 10
MINUTES: Final = 30 * 24 * 60
CYCLE_SECONDS: Final = 40 * 60
REFRESHES_A_DAY: Final = {"one-hour": 36, "Xero's 30-minute": 72, "24-hour": 1.5}
"""A refresh is due after two thirds of the lifetime."""
WINDOW_SECONDS: Final = 20 * 60
"""Of a one-hour token, which is due after the first."""

# List prices of us-east-1 in US dollars, without free tiers.
SECRET, KEY, METRIC, ALARM, DASHBOARD = 0.40, 1.00, 0.30, 0.10, 3.00
SECRETS_MANAGER_CALL = 0.05 / 10_000
COPY_CALLS = 3
"""Read, store, make current."""
OF_COPIES = "copies-behind"
"""An alarm, with its metric, that only a fleet with copies has."""
READERS, READS_OF_A_TOKEN = 2, 2
"""Processes that read a secret, and how often each reads a token: when it is new, and once while it is due."""
CALLS_OF_READERS: Final = READERS * READS_OF_A_TOKEN
KMS_REQUEST, TRAIL_EVENT, GUARD_DUTY_EVENT = 0.03 / 10_000, 2.00 / 100_000, 4.00 / 1e6
KEY_REQUESTS = 2
"""Of a refresh to a key: it reads a value and writes one. A reader's call is one."""
WRITE_UNIT, READ_UNIT = 0.625 / 1e6, 0.125 / 1e6
QUEUE_REQUEST = 0.50 / 1e6
GB_SECOND, INVOCATION = 0.0000133334, 0.20 / 1e6
LOG_GB = 0.50

METRICS_OF_RUNS, METRICS_OF_THE_LOG, GAUGES_OF_A_PROVIDER = 8, 2, 4
ROW_BYTES, UNIT_BYTES = 650, 4096
LISTED_AT_ONCE, LISTING_SECONDS = 100, 0.15
POLLERS, POLL_SECONDS = 5, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What one refresh needs."""

    calls: int = 4
    """Read, list, store, make current."""
    write_units: int = 9
    """The claim (7 KB) and the row, and the row in the index."""
    read_units: int = 5
    queue_requests: int = 2
    gb_seconds: float = 0.85 * 0.25
    log_gb: float = 2 / 1024**2

    @property
    def cost(self) -> float:
        """All of it but the calls to Secrets Manager."""
        items = self.write_units * WRITE_UNIT + self.read_units * READ_UNIT
        run = self.gb_seconds * GB_SECOND + INVOCATION + self.queue_requests * QUEUE_REQUEST + self.log_gb * LOG_GB
        return items + run


CALLS_A_REFRESH: Final = Refresh().calls + CALLS_OF_READERS


def month(secrets: int, *, refreshes_a_day: float) -> dict[str, float]:
    """Return what a fleet costs in a month, by what it is for."""
    refreshes = secrets * refreshes_a_day * 30
    reads = secrets * ROW_BYTES / UNIT_BYTES / 2 * READ_UNIT
    # A minute's messages go out at the rate that the write budget allows.
    handing_out_seconds = 1 + refreshes / MINUTES / (Limits().runs_a_minute / 60)
    resyncs, pages = MINUTES / 5, secrets / LISTED_AT_ONCE
    polling = POLLERS * 60 / POLL_SECONDS * QUEUE_REQUEST
    watched = (_metrics_of_a_fleet() + PROVIDERS * (GAUGES_OF_A_PROVIDER + METRICS_OF_RUNS)) * METRIC
    dispatching = MINUTES * (reads + handing_out_seconds * GB_SECOND + polling)
    return {
        f"storage in Secrets Manager, {SECRET:.2f} each": secrets * SECRET,
        f"its calls, with {READERS} processes a secret that read each token {READS_OF_A_TOKEN} times": (
            (refreshes * CALLS_A_REFRESH + resyncs * pages) * SECRETS_MANAGER_CALL
        ),
        "functions, table, queue, log": refreshes * Refresh().cost
        + dispatching
        + resyncs * (reads + pages * LISTING_SECONDS * GB_SECOND),
        "metrics, alarms, dashboard, key": watched
        + len(FleetAlarms.defined().keys() - {OF_COPIES}) * ALARM
        + DASHBOARD
        + KEY,
    }


def copies(secrets: int, *, refreshes_a_day: float) -> float:
    """Return what copies add in a month: each is a secret, and a refresh reads it once and writes it twice."""
    return ALARM + METRIC + secrets * (SECRET + refreshes_a_day * 30 * COPY_CALLS * SECRETS_MANAGER_CALL)


def cost() -> str:
    """Return the table of a month's costs."""
    hourly = [month(secrets, refreshes_a_day=36) for secrets in SIZES]
    rows = [(name, *(_dollars(costs[name]) for costs in hourly)) for name in hourly[0]]
    for name, a_day in REFRESHES_A_DAY.items():
        together = (sum(month(secrets, refreshes_a_day=a_day).values()) for secrets in SIZES)
        rows.append((f"**together, {name} tokens**", *(f"**{_dollars(amount)}**" for amount in together)))
    for name, a_day in REFRESHES_A_DAY.items():
        more = (_dollars(copies(secrets, refreshes_a_day=a_day)) for secrets in SIZES)
        rows.append((f"more with `published_under`, {name} tokens", *more))
    head = ("secrets", *(f"{secrets:,}" for secrets in SIZES))
    lines = [head, ("---", *("---:" for _ in SIZES)), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{_audit(10_000, refreshes_a_day=36)}"


def _audit(secrets: int, *, refreshes_a_day: float) -> str:
    """Return what an account's audit adds, and a key of its own."""
    refreshes = secrets * refreshes_a_day * 30
    events = refreshes * CALLS_A_REFRESH
    of_runs, with_readers = (
        requests * refreshes * KMS_REQUEST for requests in (KEY_REQUESTS, KEY_REQUESTS + CALLS_OF_READERS)
    )
    return (
        f"Your audit comes on top. {secrets:,} one-hour tokens make {events / 1e6:.0f} million management events in "
        f"CloudTrail:\n\n- {_dollars(events * TRAIL_EVENT)} for each trail beyond the first\n"
        f"- up to {_dollars(events * GUARD_DUTY_EVENT)} for GuardDuty\n"
        f"- {_dollars(of_runs)} for the runs' requests to a key of your own (`kms_key`), {_dollars(with_readers)} with "
        "the readers'"
    )


def limits() -> str:
    """Return how many secrets a fleet can serve, by the write budget."""
    per_second, with_copies = (Limits(writes_a_run=n).runs_a_minute / 60 for n in (2, WRITES_WITH_A_COPY))
    at_once = [f"{secrets:,} take {secrets / per_second / 60:.1f} minutes" for secrets in SIZES[1:]]
    return (
        f"- {per_second:.0f} refreshes a second fit into the write budget. Of secrets that are all due at once, "
        f"{' and '.join(at_once)}.\n"
        f"- {per_second * CYCLE_SECONDS:,.0f} one-hour tokens are the most in a steady state: each is refreshed after "
        f"{CYCLE_SECONDS // 60} minutes.\n"
        f"- {per_second * WINDOW_SECONDS:,.0f} one-hour tokens are the most that can all be refreshed within a "
        f"window of {WINDOW_SECONDS // 60} minutes, as after a long outage. If there are more, some expire first.\n"
        f"- With copies for services, each of these is half: {with_copies:.0f} refreshes a second."
    )


def _metrics_of_a_fleet() -> int:
    fleet, now = Fleet(rows=[]), datetime(2026, 1, 1, tzinfo=UTC)
    return len(measure(fleet, decide(fleet, now), now)) + METRICS_OF_RUNS + METRICS_OF_THE_LOG


def _dollars(amount: float) -> str:
    return f"{amount:,.0f}"
