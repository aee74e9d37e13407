"""Search every scenario and print what was searched and found: `scripts/prove search`."""

import argparse
import math
import sys

import measured
from proof import report, scenarios


def main() -> int:
    """Search; 1 where an invariant is violated or a search is not complete."""
    parser = argparse.ArgumentParser(prog="scripts/prove search", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the part that the tests run")
    parser.add_argument("--only", metavar="TEXT", default="", help="only scenarios whose names have this text")
    parser.add_argument("--write", action="store_true", help="put the summary into docs/proof.json")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no other search after so many")
    options = parser.parse_args()
    if options.write and (options.quick or options.only):
        parser.error("--write needs the whole search")
    chosen = scenarios.quick() if options.quick else scenarios.full()
    found = report.run([s for s in chosen if options.only in s.label], seconds=options.minutes * 60)
    failed = any(r.violation or not r.complete for r in found)
    if chosen == scenarios.full() and not options.only:
        measured.keep("searches", "What was searched", report.searches(found))
    if options.write and not failed:
        measured.summarise("search", report.summary(found, chosen))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
