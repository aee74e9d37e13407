"""Make the pictures of docs/pictures from real runs: `scripts/pictures`."""

import sys
from collections.abc import Callable

from pages import captures
from pages.terminal import ROOT
from testbed.surroundings import forget_settings

FOLDER = ROOT / "docs" / "pictures"
MADE: dict[str, Callable[[], str]] = {"demo.svg": captures.demo, "status.svg": captures.status}


def main(names: list[str]) -> int:
    """Make the named pictures, or all of them."""
    forget_settings()
    for name in names or MADE:
        (FOLDER / name).write_text(MADE[name]())
        print(f"docs/pictures/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
