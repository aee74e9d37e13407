"""A fleet's goals, on a virtual clock, with the real dispatcher, planner, worker and adapter, and documented quotas.

Secrets Manager writes 50 times a second and no more; a call takes 60 ms; a token response takes 0.4 s at the median;
refresh tokens are single-use; access tokens live an hour. Faults begin at a random second from 0 to 15 of a minute.
Exit code 1 if a goal is missed.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from rich.console import Console
from rich.table import Table

from benchmarks.fleets.faults import FAULTS
from benchmarks.fleets.goals import SCENARIOS, Result
from benchmarks.fleets.members import MEMBERS
from benchmarks.fleets.tenants import TENANTS

SECRETS = 10_000
SIZES = (
    {
        "writes-refused": 2_000,
        "hosts": 2_000,
        "store-away": 2_000,
        "tight-rate": 3_000,
        "busy": 2_000,
        "unknown": 150,
        "hanging-herd": 3_000,
        "poison": 2_000,
        "growth": 5_000,
        "much-poison": 300,
    }
    | dict.fromkeys(MEMBERS.keys() - {"growth", "much-poison"}, 2_000)
    | dict.fromkeys(TENANTS, 400)
)
"""Of the scenarios that are not about 10,000 secrets."""
MANY_SEEDS = {"writes-refused": 20, "hosts": 20, "unknown": 20, "hanging-herd": 20} | dict.fromkeys(
    MEMBERS | TENANTS, 20
)
SEEDS = 3
ALL = SCENARIOS | FAULTS | MEMBERS | TENANTS


def play(name: str, secrets: int, seed: int) -> tuple[list[Result], float]:
    """Play a scenario with one seed, and say how many seconds it took."""
    began = time.monotonic()
    return list(ALL[name](secrets, seed)), time.monotonic() - began


def run(scenarios: list[str], arguments: argparse.Namespace, console: Console) -> list[tuple[int, Result]]:
    """Play the scenarios, each with its seeds, on all cores; the slowest of them first."""
    games = [
        (name, size, seed)
        for name in scenarios
        for size in ([arguments.secrets] if arguments.secrets else sizes(name))
        for seed in range(arguments.seed, arguments.seed + (arguments.seeds or MANY_SEEDS.get(name, SEEDS)))
    ]
    results: list[tuple[int, Result]] = []
    # The default of Python 3.14. That of earlier ones, a fork, copies whatever threads and locks this process has.
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("forkserver")) as processes:
        for (name, size, seed), (found, seconds) in zip(
            games, processes.map(play, *zip(*games, strict=True)), strict=True
        ):
            console.print(f"{name}, {size:,} secrets, seed {seed}: {seconds:.0f} s", highlight=False)
            results += [(seed, result) for result in found]
    return results


def sizes(name: str) -> list[int]:
    """Say with how many secrets a scenario is played."""
    return [2_000, SECRETS] if name == "store-away" else [SIZES.get(name, SECRETS)]


def table(results: list[tuple[int, Result]]) -> Table:
    """Draw goals and figures: the worst of all seeds, and which seed it was."""
    worst: dict[tuple[str, str], tuple[int, Result]] = {}
    counts: dict[tuple[str, str], int] = {}
    for seed, result in results:
        key = result.scenario, result.what
        counts[key] = counts.get(key, 0) + 1
        before = worst.get(key)
        if before is None or (
            result.figure < before[1].figure if result.at_least else result.figure > before[1].figure
        ):
            worst[key] = seed, result
    drawn = Table("scenario", "figure", "worst", "goal", "seeds", "its seed", "")
    for key, (seed, result) in worst.items():
        goal = f"{'at least' if result.at_least else 'at most'} {result.limit:g}"
        judged = "reached" if result.reached else "[red]MISSED"
        drawn.add_row(*key, f"{result.figure:.3g}", goal, str(counts[key]), str(seed), judged)
    return drawn


def main() -> int:
    """Run, print the table, and judge."""
    parser = argparse.ArgumentParser(prog="scripts/bench fleet", description=__doc__.splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"any of: {', '.join(ALL)} (default: all)")
    parser.add_argument("--secrets", type=int, help=f"how many there are (default: {SECRETS}, or the scenario's own)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--seeds", type=int, help=f"how many seeds (default: {SEEDS}; 20 for {', '.join(MANY_SEEDS)})")
    parser.add_argument("--processes", type=int, default=2, help="how many run at once (default: 2)")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenarios) - set(ALL):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    results = run(arguments.scenarios or list(ALL), arguments, Console(stderr=True))
    Console().print(table(results))
    return 0 if all(result.reached for _, result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
