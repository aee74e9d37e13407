"""Measures `token_refresh.reader` beside the readers that people use today: `scripts/bench reader [--json FILE]`.

Times are medians of several rounds on this machine; days and outages run in simulated time; calls are counted at a
real HTTP store on loopback, read by the real boto3 client. Exits with 1 where a promise of the reader isn't kept.
"""

import argparse
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import reader_live, reader_price, reader_speed
from benchmarks.reader_day import simulate_day, simulate_outage
from benchmarks.reader_subjects import SUBJECTS

Figures = dict[str, dict[str, Any]]

_DAY_ROWS = (
    ("calls", "calls"),
    ("expired_tokens_served", "expired tokens served"),
    ("failed_reads", "reads refused"),
    ("failed_reads_while_a_valid_token_was_stored", "refused though a valid one is stored"),
    ("longest_staleness_seconds", "longest staleness, s"),
)


def main() -> int:
    """Measure, show, write and judge."""
    parser = argparse.ArgumentParser(prog="scripts/bench reader", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args()
    console = Console(stderr=True)

    figures: Figures = {subject.name: {} for subject in SUBJECTS}
    with console.status("") as status:
        status.update("cached reads")
        bare_ns = reader_speed.measure_cached_reads(figures)
        status.update("imports and first reads, each in a process of its own")
        reader_speed.measure_first_reads(figures)
        status.update("fifty threads, a slow store")
        reader_live.measure(figures)
        for subject in SUBJECTS:
            status.update(f"simulated days: {subject.name}")
            own = figures[subject.name]
            own["day_early"] = simulate_day(subject, late=False)
            own["day_late"] = simulate_day(subject, late=True)
            own["outage"] = simulate_outage(subject)
        status.update("a million reads of a secret")
        prices = reader_price.measure()
        refusals = reader_live.refusals()
    kept = promises(figures, bare_ns, refusals, prices)
    show(figures, bare_ns, prices, kept)
    if options.json:
        report = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "versions": {
                name: metadata.version(name)
                for name in ("aws-secretsmanager-caching", "aws-lambda-powertools", "boto3", "token-refresh-worker")
            },
            "bare_check_ns": bare_ns,
            "readers": figures,
            "a_million_reads": prices,
            "promises": kept,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(kept.values()) else 1


def promises(
    figures: Figures, bare_ns: float, refusals: dict[str, bool], prices: dict[str, reader_price.Price]
) -> dict[str, bool]:
    """Say of each promise of the reader whether it was kept in this run."""
    ours, powertools = figures["TokenReader"], figures["powertools"]
    early, late = ours["day_early"], ours["day_late"]
    return {
        "a cached read takes at most 1.5 times a bare check": ours["cached_read_ns"] <= 1.5 * bare_ns,
        "a cached read is at least 10 times faster than powertools' get_secret": (
            10 * ours["cached_read_ns"] <= powertools["cached_read_ns"]
        ),
        "50 simultaneous misses make 1 call": ours["calls_for_50_misses"] == 1,
        "50 simultaneous 401s make 1 call": ours["calls_for_50_401s"] == 1,
        "no expired token is served in a day, the worker early": early["expired_tokens_served"] == 0,
        "no expired token is served in a day, the worker late": late["expired_tokens_served"] == 0,
        "no read is refused in a day, the worker early": early["failed_reads"] == 0,
        "at most 60 calls a day for a one-hour token": early["calls"] <= 60,  # noqa: PLR2004 - as it says
        "a million invocations with 5 % cold starts cost at most 0.25 USD": (
            prices["SecretReader, 5 % cold starts"]["usd"] <= 0.25  # noqa: PLR2004 - as it says
        ),
        "no read is refused during the outage": ours["outage"]["failed_reads"] == 0,
    } | {
        f"{case}: the error names secret, region, action and remedy, and no value": ok for case, ok in refusals.items()
    }


def show(figures: Figures, bare_ns: float, prices: dict[str, reader_price.Price], kept: dict[str, bool]) -> None:
    """Print the tables, in Markdown, and the promises."""
    table = Table("", box=box.MARKDOWN, title="Reading a token from AWS Secrets Manager")
    for subject in SUBJECTS:
        table.add_column(subject.name, justify="right", no_wrap=True)
    for name, values in rows(figures, bare_ns):
        table.add_row(name, *values)
    console = Console(width=140)
    console.print(table)
    bill = Table("a million reads of a secret in a day", "calls", "USD", box=box.MARKDOWN)
    for name, price in prices.items():
        bill.add_row(name, f"{price['calls']:,}", f"{price['usd']:.4f}")
    console.print(bill)
    for promise, ok in kept.items():
        console.print(f"{'[green]kept[/]  ' if ok else '[red]BROKEN[/]'}  {promise}", highlight=False)


def rows(figures: Figures, bare_ns: float) -> list[tuple[str, list[str]]]:
    """Lay out the figures, one row each."""
    every = list(figures.values())

    def row(name: str, *path: str, digits: int = 0) -> tuple[str, list[str]]:
        values = []
        for own in every:
            value: Any = own
            for key in path:
                value = value[key]
            values.append(f"{value:,.{digits}f}")
        return name, values

    return [
        row(f"cached read, CPU-ns (a bare check: {bare_ns:.0f})", "cached_read_ns"),
        row("reads a second, 8 threads", "reads_per_second_8_threads"),
        row("calls for 50 simultaneous misses", "calls_for_50_misses"),
        row("calls for 50 simultaneous 401s", "calls_for_50_401s"),
        row("seconds until all 50 have a token", "seconds_for_50_401s", digits=2),
        row("longest wait, store 2 s slow, s", "longest_wait_slow_store_seconds", digits=2),
        *(row(f"day, worker early: {words}", "day_early", key) for key, words in _DAY_ROWS),
        *(row(f"day, worker late: {words}", "day_late", key) for key, words in _DAY_ROWS),
        row("30 min outage: reads refused", "outage", "failed_reads"),
        row("import, ms", "import_ms"),
        row("first read, ms", "first_read_ms"),
    ]


if __name__ == "__main__":
    sys.exit(main())
