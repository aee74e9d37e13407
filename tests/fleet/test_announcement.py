from dataclasses import replace
from typing import Any

import pytest

from fleet.rows import arn, change, ran, ran_into, row, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.fleet.core.outcome import MOST_UNSENT, after, announcement, changes, in_order
from token_refresh_worker.fleet.core.row import Row, Seen, State

BROKEN = {
    State.REAUTHORIZE: Transition.REAUTHORIZATION_REQUIRED,
    State.ERROR: Transition.CORRECTION_REQUIRED,
    State.HELD: Transition.REFRESH_HELD,
    State.EMPTY: Transition.DOCUMENT_MISSING,
}


def changed(before: Seen | None, found: Seen) -> list[Transition]:
    return [found.transition for found in changes(before, found)]


@pytest.mark.parametrize("state", BROKEN)
def test_each_state_is_an_event(state: State) -> None:
    """A secret that comes into a state in which somebody has to know of it is one event, and none while it stays."""
    found = seen(state=state, since=NOW)

    assert [BROKEN[state]] == changed(seen(), found) == changed(None, found)
    assert [] == changed(found, found)
    assert all([BROKEN[state]] == changed(seen(state=other), found) for other in BROKEN if other is not state)
    assert [[], []] == [changed(before, seen()) for before in (seen(), None)]


@pytest.mark.parametrize("state", BROKEN)
def test_the_way_back_is_an_event(state: State) -> None:
    """A secret that works again is an event, which says of a rejected grant that it was authorized again.

    Also if the secret had other troubles in between.
    """
    before = seen(state=state, rejected=state is State.REAUTHORIZE)

    works = Transition.REAUTHORIZED if state is State.REAUTHORIZE else Transition.WORKING_AGAIN
    assert [works] == changed(before, seen())
    assert [Transition.REAUTHORIZED] == changed(replace(before, rejected=True), seen())


def test_a_new_grant_that_ends_soon() -> None:
    """A person who authorizes again for less than a week gets both events: that it worked, and that it ends."""
    soon = seen(grant_ending_at=NOW - HOUR, at=NOW, ending=True)

    both = changes(seen(state=State.REAUTHORIZE, rejected=True), soon)
    assert [Transition.REAUTHORIZED, Transition.GRANT_ENDING] == [
        found.transition for found in in_order(frozenset(both))
    ]


def test_what_a_failed_run_shows_of_the_grant() -> None:
    """That a grant ends is said by a run that succeeded; after one that failed it may still be prolonged."""
    ends: Any = {"grant_ending_at": NOW - MINUTE}
    before = row(found=seen(**ends))
    failed = after(before, ran_into("TokenEndpointUnavailable", **ends), began_at=NOW, chance=0)
    good = after(failed, ran("fresh", at=NOW + MINUTE, **ends), began_at=NOW, chance=0)
    again = after(good, ran_into("TokenEndpointUnavailable", at=NOW + HOUR, **ends), began_at=NOW, chance=0)
    rejected = after(again, ran_into("ReauthorizationRequired", at=NOW + HOUR, **ends), began_at=NOW, chance=0)

    assert [False, True, True, False] == [made.seen.ending for made in (failed, good, again, rejected) if made.seen]
    assert [0, 1, 1, 2] == [len(made.unsent) for made in (failed, good, again, rejected)]


def test_other_troubles_end_no_rejection() -> None:
    """A grant stays rejected until a run succeeds, whatever the runs in between run into."""

    def through(*errors: str) -> Row:
        current = row()
        for number, error in enumerate(errors):
            current = after(current, ran_into(error, at=NOW + number * HOUR), began_at=NOW, chance=0)
        return after(current, ran("refreshed", at=NOW + 9 * HOUR), began_at=NOW, chance=0)

    def order(current: Row) -> list[str]:
        return [found.transition.value for found in in_order(current.unsent)]

    assert ["Reauthorization Required", "Correction Required", "Reauthorized"] == order(
        through("ReauthorizationRequired", "ClientRejected", "SecretStoreUnavailable")
    )
    assert ["Correction Required", "Working Again"] == order(through("ClientRejected"))


def test_no_row_grows_without_end() -> None:
    """A bus that never takes an event leaves the last twenty on the row: what consumers hear last is how things are."""
    full = [replace(change(), found_at=NOW - number * HOUR) for number in range(MOST_UNSENT, 0, -1)]

    left = after(row(unsent=frozenset(full)), ran_into("ClientRejected"), began_at=NOW, chance=0)
    assert [*full[1:], change(Transition.CORRECTION_REQUIRED)] == in_order(left.unsent)


def test_what_the_event_says() -> None:
    """The event names secret, version, provider, fleet and since when, and has nothing else in it."""
    event = announcement(row("a"), change(Transition.REAUTHORIZATION_REQUIRED), fleet="prod")

    assert Transition.REAUTHORIZATION_REQUIRED is event.transition
    named = {"secret_id": arn("a"), "version_id": "v1", "provider": "xero", "fleet": "prod"}
    assert named | {"since": "2026-11-24T12:00:00Z"} == event.detail
    assert announcement(row(new=True), change(), fleet="prod").version_id is None
