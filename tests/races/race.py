"""Race 500 runs in 20 processes for one refresh token, and count the redemptions: `scripts/prove races`."""

import argparse
import sys

from races.contenders import contend
from testbed.testbed import SINGLE_USE, Testbed


def main() -> int:
    """Race; 1 where the token was not redeemed exactly once."""
    parser = argparse.ArgumentParser(prog="scripts/prove races", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how many races for each claim store (default: 3)")
    options = parser.parse_args()
    wrong = [
        _race(f"{'table' if table else 'versions'} {number}", table=table)
        for table in (False, True)
        for number in range(1, options.rounds + 1)
    ]
    return int(any(wrong))


def _race(name: str, *, table: bool) -> bool:
    """Race once; True where it went wrong."""
    with Testbed(SINGLE_USE, table=table, full=True) as testbed:
        testbed.read_stale()
        endings = contend(testbed.environment, processes=20, threads=25)
        sent, redeemed = testbed.requests_sent, testbed.endpoint.grant.redemptions
    wrong = (1, 1) != (sent, redeemed)
    said = ", ".join(f"{count} {ending}" for ending, count in endings.most_common())
    print(f"{name}: {sent} sent, {redeemed} redeemed{': WRONG' if wrong else ''}; {said}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
