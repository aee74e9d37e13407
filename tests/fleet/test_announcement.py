from dataclasses import replace

import pytest

from builders import DAY, HOUR, MINUTE, NOW
from fleet.rows import arn, failed, row, seen
from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.announcement import announcement
from token_refresh_worker.fleet.core.row import Row, Seen, State

DEAD = seen(state=State.REAUTHORIZE, error_type="ReauthorizationRequired", since=NOW)


def announced(found: Seen | None, before: str | None = None) -> Transition | None:
    event = announcement(row(found=found, new=found is None, announced=before), fleet="prod")
    return event.transition if event else None


def test_a_dead_grant_is_announced_once() -> None:
    """A dead grant is one event, however many runs find it dead."""
    assert Transition.REAUTHORIZATION_REQUIRED is announced(DEAD)
    assert announced(DEAD, "Reauthorization Required") is None


def test_what_the_event_says() -> None:
    """The event names secret, version, provider, fleet and since when, and has nothing else in it."""
    event = announcement(row("a", found=DEAD), fleet="prod")

    assert (
        Announcement(
            transition=Transition.REAUTHORIZATION_REQUIRED,
            secret_id=arn("a"),
            version_id="v1",
            provider="xero",
            fleet="prod",
            since=NOW,
        )
        == event
    )
    assert {
        "secret_id": arn("a"),
        "version_id": "v1",
        "provider": "xero",
        "fleet": "prod",
        "since": "2026-11-24T12:00:00Z",
    } == event.detail


def test_reauthorized() -> None:
    """The first success after a dead grant is announced once; a secret that was never dead is not announced."""
    assert Transition.REAUTHORIZED is announced(seen(), "Reauthorization Required")
    assert announced(seen(), "Reauthorized") is None
    assert announced(seen()) is None
    assert Transition.REAUTHORIZATION_REQUIRED is announced(DEAD, "Reauthorized")


@pytest.mark.parametrize(
    "found", [failed("SecretStoreUnavailable", at=NOW), seen(state=State.HELD), seen(outcome="yielded"), None]
)
def test_failures_announce_nothing(found: Seen | None) -> None:
    """A run that yielded, or failed for another reason, announces nothing, whatever was announced before."""
    assert announced(found, "Reauthorization Required") is None


def test_a_grant_that_ends() -> None:
    """A grant that ends soon is announced once, with the time from which it did."""
    ending = seen(grant_ending_at=NOW - 2 * DAY, at=NOW)
    event = announcement(row(found=ending), fleet="prod")

    assert event is not None
    assert (Transition.GRANT_ENDING, NOW - 2 * DAY) == (event.transition, event.since)
    assert announced(ending, "Grant Ending") is None
    assert announced(seen(grant_ending_at=NOW + MINUTE, at=NOW)) is None
    assert Transition.REAUTHORIZED is announced(seen(grant_ending_at=NOW + 83 * DAY, at=NOW), "Grant Ending")


def test_a_new_grant_that_ends_soon() -> None:
    """A person who authorizes again for less than a week gets both events: that it worked, and that it ends."""
    soon = row(found=seen(grant_ending_at=NOW - HOUR, at=NOW - MINUTE), announced="Reauthorization Required")

    assert [Transition.REAUTHORIZED, Transition.GRANT_ENDING] == _all_of(soon)


def _all_of(current: Row) -> list[Transition]:
    events = []
    while (event := announcement(current, fleet="prod")) is not None:
        events.append(event.transition)
        current = replace(current, announced=event.transition)
    return events
