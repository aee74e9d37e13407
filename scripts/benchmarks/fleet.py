"""A fleet's goals, on a virtual clock, with the real dispatcher, planner, worker and adapter, and documented quotas.

Secrets Manager writes 50 times a second and no more; a call takes 60 ms; a token response takes 0.4 s at the median;
refresh tokens are single-use; access tokens live an hour. Exit code 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.fleets.goals import STORIES, Result

SECRETS = 10_000


def run(stories: list[str], secrets: int, console: Console) -> list[Result]:
    """Play the stories, and say which one is under way."""
    results: list[Result] = []
    for number, name in enumerate(stories, 1):
        began = time.monotonic()
        with console.status(f"{number} of {len(stories)}: {name}"):
            results += STORIES[name](secrets)
        console.print(f"{number} of {len(stories)}: {name}, {time.monotonic() - began:.0f} s", highlight=False)
    return results


def table(results: list[Result]) -> Table:
    """Draw goals and figures."""
    drawn = Table("story", "figure", "measured", "goal", "")
    for result in results:
        goal = f"{'at least' if result.at_least else 'at most'} {result.limit:g}"
        drawn.add_row(
            result.story, result.what, f"{result.figure:.3g}", goal, "reached" if result.reached else "[red]MISSED"
        )
    return drawn


def main() -> int:
    """Run, print the table, write the figures if that is wanted, and judge."""
    parser = argparse.ArgumentParser(prog="scripts/bench fleet", description=__doc__.splitlines()[0])
    parser.add_argument("stories", nargs="*", metavar="STORY", help=f"any of: {', '.join(STORIES)} (default: all)")
    parser.add_argument("--secrets", type=int, default=SECRETS, help=f"how many there are (default: {SECRETS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    if unknown := set(arguments.stories) - set(STORIES):
        parser.error(f"there is no story {', '.join(sorted(unknown))}")
    results = run(arguments.stories or list(STORIES), arguments.secrets, Console(stderr=True))
    Console().print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=2))
    return 0 if all(result.reached for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
