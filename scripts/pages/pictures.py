"""Make the pictures of docs/pictures from real runs: `scripts/pictures`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from demos.surroundings import forget_settings
from pages import browser, captures
from pages.terminal import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "docs" / "pictures"
MADE: dict[str, Callable[[], str | bytes]] = {
    "demo.svg": captures.demo,
    "status.svg": captures.status,
    "authorized.png": browser.page,
}


def main(names: list[str]) -> int:
    """Make the named pictures, or all of them."""
    forget_settings()
    for name in names or MADE:
        made = MADE[name]()
        (FOLDER / name).write_bytes(made if isinstance(made, bytes) else made.encode())
        print(f"docs/pictures/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
