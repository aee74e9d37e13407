"""What providers have announced: what docs/providers.md lists, and the check that somebody reads them."""

import os
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.providers.provider import NOTICE


class Change(NamedTuple):
    """A fact of a profile that is true from a day on; changes sort by that day."""

    on: date
    provider: str
    says: str
    source: str
    seen_on: date


def changes() -> list[Change]:
    """Return all changes, soonest first."""
    return sorted(
        Change(fact.changes_on, name, fact.says, fact.source, fact.on)
        for name in profile_names()
        for fact in load_provider(name).evidence
        if fact.changes_on
    )


def soon(found: Iterable[Change], today: date) -> list[Change]:
    """Return the changes of the next 90 days."""
    return [change for change in found if today < change.on <= today + NOTICE]


def unseen(found: Iterable[Change], today: date) -> list[Change]:
    """Return the changes that have come and whose source nobody has read since."""
    return [change for change in found if change.seen_on < change.on <= today]


def main() -> None:
    """Name both kinds; exit with 1 if there is one of the second."""
    found, today = changes(), datetime.now(UTC).date()
    marks = ("::warning::", "::error::") if os.environ.get("GITHUB_ACTIONS") else ("", "")
    late = unseen(found, today)
    for mark, kind, when in ((marks[0], soon(found, today), "changes on"), (marks[1], late, "look again: changed on")):
        for change in kind:
            print(f"{mark}{change.provider} {when} {change.on}: {change.says} ({change.source})")
    sys.exit(1 if late else 0)


if __name__ == "__main__":
    main()
