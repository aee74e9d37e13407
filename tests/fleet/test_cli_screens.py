"""Every value that `fleet status` prints, of a fleet with members in each state, is the one that somebody has read."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cli.screens import in_words, recorded
from fleet.command import HOUR, IN_FORCE, run
from fleet.command import NOW as BEGIN
from fleet.rows import HOST, arn, row, seen
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.breaker import Breaker, BreakerReason
from token_refresh_worker.fleet.core.row import State
from token_refresh_worker.run.outcome import CopyState

HALF = timedelta(minutes=30)
"""Added to all times: what is left of the hour is not counted."""
NOW = BEGIN - HALF
LATER = BEGIN + HALF
REASONS = ((BreakerReason.CLIENT_REJECTED, 1), (BreakerReason.NO_RESPONSE, 2))


@pytest.fixture
def members(index: TableIndex) -> TableIndex:
    """Four providers, copies in each state and of different ages, two breakers, and three that left."""
    since, began = NOW - 5 * HOUR, datetime.now(UTC)  # not when these tests were loaded: that may be long ago
    healthy = seen(at=NOW, expires_at=LATER + 2 * HOUR, due_at=LATER + HOUR, since=since)
    dead, wrong, gone = (
        seen(at=NOW, expires_at=LATER + at * HOUR, due_at=NOW, error_type=error_type, state=state, since=since)
        for at, error_type, state in (
            (3, "ReauthorizationRequired", State.REAUTHORIZE),
            (4, "ClientRejected", State.ERROR),
            (1, "TokenEndpointUnavailable", State.HEALTHY),
        )
    )
    behind = replace(healthy, copy_behind_at=NOW - HOUR)
    for name, provider, found in (
        ("a/healthy", "xero", healthy),
        ("b/healthy", "hubspot", replace(healthy, tokens=replace(healthy.tokens, expires_at=LATER + 5 * HOUR))),
        ("c/dead", "hubspot", dead),
        ("d/error", "xero", wrong),
        ("e/expired", "xero", seen(at=since, expires_at=NOW - 3 * HOUR, due_at=NOW - 4 * HOUR, since=since)),
        ("f/copy-missing", "xero", replace(behind, copy=CopyState.MISSING)),
        ("g/copy-unread", "hubspot", replace(behind, copy=CopyState.UNREAD, copy_error="SecretAccessDenied")),
        ("h/copy-older", "hubspot", replace(behind, copy=CopyState.OLDER)),
        ("h/copy-refused", "xero", replace(behind, copy=CopyState.OLDER, copy_error="SecretAccessDenied")),
        ("h/copy-current", "xero", replace(healthy, at=NOW - HOUR, copy=CopyState.CURRENT)),
        ("h/copy-just-behind", "xero", replace(healthy, copy_behind_at=began, copy=CopyState.OLDER)),
        ("n/expired-first", "zoho", seen(at=since, expires_at=NOW - 4 * HOUR, due_at=NOW - 5 * HOUR, since=since)),
        ("i/paused", "xero", replace(healthy, tokens=replace(healthy.tokens, expires_at=LATER + HOUR))),
    ):
        index.add(row(name, provider=provider, found=found, next_at=LATER + HOUR, added_at=NOW - 24 * HOUR))
    index.add(row("j/unread", provider="hubspot", new=True, next_at=LATER, added_at=NOW - HOUR))
    for number in range(2):
        index.add(row(f"k/{number}", provider="upwork", found=gone, next_at=LATER, added_at=NOW - 24 * HOUR))
    index.pause(replace(IN_FORCE, until=LATER + 2 * HOUR), secret_arn=arn("i/paused"))
    index.pause(replace(IN_FORCE, until=LATER + 3 * HOUR, by="another", why="theirs"), provider="hubspot")
    index.pause(replace(IN_FORCE, until=LATER + HOUR), provider="zoho")
    slow, down = (Breaker(reason=reason, allowed=allowed) for reason, allowed in REASONS)
    index.tell_breakers({f"xero/{HOST}": slow, f"hubspot/{HOST}": down}, began)
    for name, at, quietly in (
        ("l/removed", NOW, True),
        ("m/vanished", NOW - 2 * HOUR, False),
        ("m/vanished-before", NOW - 48 * HOUR, False),
    ):
        index.add(row(name, provider="xero", found=healthy))
        index.remove(arn(name), at, quietly=quietly)
    return index


@pytest.mark.usefixtures("members")
@pytest.mark.parametrize("options", ["", "--provider hubspot", "--state paused", "--limit 2", "--json"])
def test_values(options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people and for machines, each value is in its place: whose, in which state, until when, and why."""
    monkeypatch.setenv("COLUMNS", "140")
    name = f"fleet status {options}".strip()

    screen = run(*name.split()[1:]).stdout

    if options == "--json":
        fields = json.loads(screen)
        parts = [
            (key, part) for key, value in fields.items() for part in (value if isinstance(value, list) else [value])
        ]
        screen = "\n".join(json.dumps({key: part}) for key, part in parts)
    found = in_words(screen, BEGIN.timestamp()).splitlines()
    assert recorded(name, found) == found
