"""Race 500 runs in 20 processes for one refresh token, and count the redemptions: `scripts/prove races`."""

import argparse
import sys

from races.contenders import contend
from testbed.testbed import SINGLE_USE, Testbed


def main() -> int:
    """Race; 1 where the token was not redeemed exactly once."""
    parser = argparse.ArgumentParser(prog="scripts/prove races", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how many races (default: %(default)s)")
    options = parser.parse_args()
    failed = 0
    for number in range(1, options.rounds + 1):
        with Testbed(SINGLE_USE) as testbed:
            endings = contend(testbed.environment, processes=20, threads=25)
            once = (1, True) == (testbed.endpoint.grant.redemptions, testbed.alive)
        failed += not once
        said = ", ".join(f"{count} {name}" for name, count in endings.most_common())
        print(f"race {number}: {'redeemed once' if once else 'WRONG'}; {said}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
