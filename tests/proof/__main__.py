"""Search, and print what was searched and found.

scripts/prove                 the full search, on two processes; fails where something is violated
scripts/prove --quick         the part of it that the tests run
scripts/prove --mutants       plant each bug, and show how it is found
scripts/prove --write         both, and write the figures into docs/proof.md
"""

import argparse
import sys
from pathlib import Path

from proof import report, scenarios


def main() -> int:
    """Run what the command line asks for; 1 where an invariant is violated or a planted bug survives."""
    parser = argparse.ArgumentParser(prog="scripts/prove", description=__doc__, formatter_class=_Plain)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="the part that the tests run")
    which.add_argument("--mutants", action="store_true", help="plant each bug, and show how it is found")
    which.add_argument("--write", action="store_true", help="search, plant, and write the figures into docs/proof.md")
    asked = parser.parse_args()
    searched = [] if asked.mutants else report.run(scenarios.quick() if asked.quick else scenarios.full())
    planted = report.plant() if asked.mutants or asked.write else []
    failed = any(r.violation or not r.complete for r in searched) or any(not p.result.violation for p in planted)
    if asked.write and not failed:
        report.write(Path("docs/proof.md"), searched, planted)
    return int(failed)


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keep the lines of the description as they are."""


if __name__ == "__main__":
    sys.exit(main())
