"""Copies in a fleet, for services: each run fills one, and what fails there is no failed refresh."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fleet.conftest import FleetStage
from fleet.rows import ran, row, seen, unread
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Fleet
from token_refresh_worker.fleet.core.gauges import measure
from token_refresh_worker.fleet.core.outcome import after
from token_refresh_worker.fleet.core.row import Row, State
from token_refresh_worker.run.outcome import CopyState

MEMBER, COPY = "customers/7/xero", "published/customers/7/xero"


@pytest.fixture
def copied(stage: FleetStage, monkeypatch: pytest.MonkeyPatch) -> FleetStage:
    """A fleet that publishes copies, with one member whose copy is empty."""
    monkeypatch.setenv("PUBLISHED_SECRET_ID", "published/{secret}")
    stage.client.create_secret(Name=COPY)
    return stage


def due(stage: FleetStage) -> str:
    return stage.known(MEMBER, expiresAt=stage.now_ms + 60_000)


def value(stage: FleetStage, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stage.client.get_secret_value(SecretId=name)["SecretString"])
    return found


def test_a_run_fills_the_copy(copied: FleetStage) -> None:
    """A refresh is followed by its copy, which has the access token, and neither refresh token nor client."""
    secret_arn = due(copied)

    copied.message(secret_arn)

    tokens, copy = value(copied, MEMBER), value(copied, COPY)
    assert tokens["accessToken"] == copy["accessToken"]
    assert not {tokens["refreshToken"], tokens["clientSecret"]} & {str(part) for part in copy.values()}
    found = copied.seen(secret_arn)
    assert ("refreshed", CopyState.CURRENT) == (found.outcome, found.copy)
    assert (None, None) == (found.copy_behind_at, found.copy_error)


def test_an_empty_copy_is_filled_although_nothing_is_due(copied: FleetStage) -> None:
    """A copy that was made for a member is filled by its next run, whenever its tokens are due."""
    secret_arn = copied.known(MEMBER, expiresAt=copied.now_ms + 90_000_000)
    assert CopyState.OLDER is copied.seen(secret_arn).copy
    assert copied.row(secret_arn).next_at < copied.seen(secret_arn).at + 2 * MINUTE

    copied.message(secret_arn)

    assert ("fresh", CopyState.CURRENT) == (copied.seen(secret_arn).outcome, copied.seen(secret_arn).copy)
    assert value(copied, MEMBER)["accessToken"] == value(copied, COPY)["accessToken"]
    assert [] == copied.endpoint.requests


def test_a_missing_copy_is_no_failed_refresh(copied: FleetStage) -> None:
    """Without its copy a secret is refreshed all the same: its row is healthy, no breaker hears of it, and it says so.

    The next look is a minute later, and not when the new tokens are due.
    """
    copied.client.delete_secret(SecretId=COPY, ForceDeleteWithoutRecovery=True)
    secret_arn = due(copied)

    copied.message(secret_arn)

    line, found = copied.last_line(), copied.seen(secret_arn)
    assert {"event": "token_refresh_finished", "outcome": "refreshed", "copy": "missing"}.items() <= line.items()
    assert "SecretNotFound" == line["copy_error_type"]
    assert COPY in line["copy_error"]
    assert (State.HEALTHY, None, 0, CopyState.MISSING) == (found.state, found.error_type, found.failures, found.copy)
    assert found.at + MINUTE <= copied.row(secret_arn).next_at < found.tokens.due_at
    assert not copied.index.store().refused

    copied.client.create_secret(Name=COPY)
    copied.message(secret_arn)
    assert CopyState.CURRENT is copied.seen(secret_arn).copy
    assert 1 == len(copied.endpoint.requests)


@pytest.mark.parametrize(
    ("operation", "state"), [("PutSecretValue", CopyState.OLDER), ("GetSecretValue", CopyState.UNREAD)]
)
def test_a_copy_that_refuses_is_no_refusing_store(copied: FleetStage, operation: str, state: CopyState) -> None:
    """Where Secrets Manager refuses the copy alone, the tokens are stored, and the store's breaker counts nothing.

    One that may not be read is not called older: nobody knows what services read.
    """
    secret_arn = due(copied)
    copied.server.authorize = lambda call: (
        "the copy" if call.secret_id == COPY and call.operation == operation else None
    )

    copied.message(secret_arn)

    found = copied.seen(secret_arn)
    assert ("refreshed", None, None) == (found.outcome, found.error_type, found.sent.error_type)
    assert (state, "SecretAccessDenied", True) == (found.copy, found.copy_error, found.copy_behind_at is not None)
    assert not copied.index.store().refused


def test_an_edit_of_other_keys_leaves_the_copy_current(copied: FleetStage) -> None:
    """Services read the current access token, so the copy is not behind, as `status` has it: also if it refuses."""
    secret_arn = due(copied)
    copied.message(secret_arn)
    copied.client.put_secret_value(
        SecretId=MEMBER, SecretString=json.dumps({**value(copied, MEMBER), "note": "edited"})
    )
    copied.server.authorize = lambda call: (
        "the copy" if call.secret_id == COPY and call.operation == "PutSecretValue" else None
    )

    copied.message(secret_arn)

    found = copied.seen(secret_arn)
    assert ("fresh", CopyState.CURRENT, None, None) == (
        found.outcome,
        found.copy,
        found.copy_behind_at,
        found.copy_error,
    )


@pytest.mark.parametrize(("for_", "waits"), [(0, 1), (1, 1), (4, 4), (30, 30), (600, 60)])
def test_a_copy_that_stays_behind_is_tried_less_often(for_: int, waits: int) -> None:
    """The next try of a copy comes as long after this one as it has been behind: a minute at first, an hour at most."""
    before = None if not for_ else NOW - for_ * MINUTE
    known = row(found=replace(seen(), copy=CopyState.OLDER, copy_behind_at=before))
    run = replace(ran("fresh", due_at=NOW + 5 * HOUR), copy=CopyState.OLDER)

    left = after(known, run, began_at=NOW, chance=0.0)

    assert NOW + waits * MINUTE == left.next_at
    assert (before or NOW) == left.copy_behind_at


def test_what_a_failed_run_knows_of_the_copy() -> None:
    """A run that read nothing leaves what the row says of the copy, and a current copy ends it."""
    known = row(found=replace(seen(), copy=CopyState.MISSING, copy_behind_at=NOW - HOUR, copy_error="SecretNotFound"))

    failed = after(known, unread("SecretStoreUnavailable"), began_at=NOW, chance=0.0).seen
    mended = after(known, replace(ran(), copy=CopyState.CURRENT), began_at=NOW, chance=0.0).seen

    assert failed
    assert mended
    assert (CopyState.MISSING, NOW - HOUR, "SecretNotFound") == (failed.copy, failed.copy_behind_at, failed.copy_error)
    assert (CopyState.CURRENT, None, None) == (mended.copy, mended.copy_behind_at, mended.copy_error)


def test_the_gauge() -> None:
    """Copies that have been behind for ten minutes are counted, those of dead grants not; without copies it is none."""

    def gauge(*rows: Row) -> float | None:
        fleet = Fleet(rows=rows)
        return measure(fleet, decide(fleet, NOW), NOW).get("CopiesBehind")

    def member(name: str, minutes: int, state: State = State.HEALTHY) -> Row:
        found = replace(seen(state=state), copy=CopyState.OLDER, copy_behind_at=NOW - minutes * MINUTE)
        return row(name, found=found)

    current = row("fine", found=replace(seen(), copy=CopyState.CURRENT))
    assert gauge(row()) is None
    assert 0 == gauge(current, member("new", 9), member("dead", 60, State.REAUTHORIZE))
    assert 2 == gauge(current, member("a", 10), member("b", 60))
