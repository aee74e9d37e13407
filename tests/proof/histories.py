"""Random histories of the real worker, with late writes, stale reads and clocks that differ: `scripts/prove histories`.

The seed is printed first; `--seed N` runs the same histories again, and `--trace` prints the first that loses a grant.
"""

import argparse
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from proof.bounds import Bounds, all_of_it
from proof.history import History


@dataclass(slots=True)
class Found:
    """What the histories within some bounds came to."""

    revoked: int = 0
    """Grants that were revoked without a crash between the request and the write."""
    windows: int = 0
    """Grants that fell into the one window."""
    alarms: int = 0
    """Runs that asked for a new authorization, though the grant was alive."""
    refreshed: int = 0
    expired_seconds: float = 0.0
    """For how long consumers had no valid token, while the grant was alive; in all histories together."""
    first: History | None = None
    """The first history that lost a grant."""


def live(bounds: Bounds, seeds: Iterable[int]) -> Found:
    """Live through one history for each seed."""
    found = Found()
    for seed in seeds:
        history = History(bounds, seed).run()
        found.revoked += history.revoked
        found.windows += history.lost
        found.alarms += history.alarms
        found.refreshed += history.refreshed
        found.expired_seconds += history.expired_seconds
        if history.revoked and found.first is None:
            found.first = history
    return found


def main() -> int:
    """Live through random histories; 1 where one within the promised bounds loses a grant."""
    parser = argparse.ArgumentParser(prog="scripts/prove histories", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--histories", type=int, default=1_000, help="for each claim store and lifetime")
    parser.add_argument("--only", metavar="TEXT", default="", help="only bounds whose words have this text")
    parser.add_argument("--trace", action="store_true", help="print the first history that loses a grant")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.histories} histories each", flush=True)
    failed = False
    for bounds in all_of_it():
        if options.only not in str(bounds):
            continue
        found = live(bounds, range(options.seed, options.seed + options.histories))
        expired_seconds = found.expired_seconds / options.histories
        print(f"{bounds}{'' if bounds.promised else ' (not promised)'}")
        print(
            f"    {found.revoked} revoked, {found.windows} in the window, {found.alarms} false alarms, "
            f"{found.refreshed} refreshes, expired for {expired_seconds:.0f} s a history",
            flush=True,
        )
        failed = failed or (found.revoked > 0 and bounds.promised)
        if found.first is not None and options.trace:
            print(*found.first.lines, f"VIOLATION: {found.first.violation}", sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
