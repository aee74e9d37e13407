"""Keep what today's code stores as test data of its release (`scripts/stored-formats`)."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from stored.forms import samples
from stored.worlds import MADE, World, make
from testbed.testbed import Testbed
from token_refresh import __version__

RELEASES: Final = Path(__file__).parent / "releases"
TODAY: Final = RELEASES / f"{__version__}.json"


def forms() -> dict[str, dict[str, Any]]:
    """Everything that this code stores, by kind and name."""
    found: dict[str, dict[str, Any]] = {}
    for kind, name, _, stored in samples():
        found.setdefault(kind, {})[name] = stored
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # as it is read back


def worlds() -> list[World]:
    """What real runs of this code leave behind."""
    return [
        make(state, {"store": store, "provider": provider}, Testbed.begin)
        for store in ("versions", "table")
        for provider, state in MADE
    ]


def problem() -> str | None:
    """Say why this code can't be released."""
    if TODAY.exists() and json.loads(TODAY.read_text())["forms"] == forms():
        return None
    return f"{TODAY.name} in tests/stored/releases is not what this code stores"


def write() -> None:
    """Write the file of this version."""
    # Real runs store other tokens each time: to make them again, remove the file.
    made = json.loads(TODAY.read_text())["worlds"] if TODAY.exists() else worlds()
    TODAY.write_text(json.dumps({"lacks": [], "forms": forms(), "worlds": made}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    elif found := problem():
        sys.exit(found)
