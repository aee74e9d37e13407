"""Who is in a fleet, by the tags of its secrets, and how the index follows."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE
from fleet.doubles import MemoryIndex
from fleet.rows import arn, row, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.enrolment import Resync, TaggedSecret, Tombstone, compare_index
from token_refresh_worker.fleet.core.row import Row, State
from token_refresh_worker.fleet.resync import counts_of, synchronise
from token_refresh_worker.handlers import resync


def listed(name: str, *, fleet: str = "prod", changed_at: datetime | None = NOW - HOUR, **tags: str) -> TaggedSecret:
    named = {f"token-refresh:{tag}": value for tag, value in {"fleet": fleet, **tags}.items()}
    return TaggedSecret(secret_arn=arn(name), tags=named, changed_at=changed_at)


def compare(secrets: list[TaggedSecret], rows: list[Row]) -> Resync:
    return compare_index(secrets, rows, fleet="prod", now=NOW)


def test_new_members_are_due_at_once() -> None:
    """A secret with the fleet's tag and no row gets one: due now, under the provider that its tag names.

    A member with a row stays as it is. `ListSecrets` matches prefixes, so `prod-eu` is in the listing of `prod`, and
    is not a member.
    """
    untagged = TaggedSecret(secret_arn=arn("b"), tags={}, changed_at=None)
    strangers = [listed("a", fleet="prod-eu"), untagged]
    added = compare([listed("a", provider="xero"), listed("b")], []).add

    assert [Row(secret_arn=arn("a"), provider="xero", added_at=NOW, next_at=NOW), "unknown"] == [
        added[0],
        added[1].provider,
    ]
    known = Resync(add=[], look_at=[], remove=[], not_believed=0, size=1)
    assert known == compare([listed("c"), *strangers], [row("c")])


def test_members_leave() -> None:
    """A row whose secret lost its tag, or is gone, is removed, unless it is younger than a listing may be old.

    A row of the future is damaged, and would never be old enough.
    """
    gone, young, damaged = row("gone"), row("young", added_at=NOW - 9 * MINUTE), row("x", added_at=NOW + 99 * HOUR)

    assert [gone, damaged] == compare([], [gone, young, damaged]).remove


@pytest.mark.parametrize(
    ("quietly", "left_at", "added"),
    [(True, NOW - 9 * MINUTE, []), (True, NOW - 11 * MINUTE, [arn("a")]), (False, NOW, [arn("a")])],
)
def test_a_removed_member_stays_out(quietly: bool, left_at: datetime, added: list[str]) -> None:  # noqa: FBT001 - a case
    """A listing may still show the tag that `fleet remove` took off; what vanished by itself and is back is welcome."""
    stone = Tombstone(secret_arn=arn("a"), provider="xero", left_at=left_at, quietly=quietly)

    found = compare_index([listed("a")], [], [stone], fleet="prod", now=NOW)

    assert added == [member.secret_arn for member in found.add]


@pytest.mark.parametrize(("members", "lost", "removed"), [(0, 5, 5), (0, 6, 0), (40, 10, 10), (40, 11, 0)])
def test_an_incomplete_listing_removes_nobody(members: int, lost: int, removed: int) -> None:
    """A listing that lacks more than a fifth of the fleet, and more than five, is not believed."""
    there, gone = ([row(f"{kind}-{n}") for n in range(count)] for kind, count in (("here", members), ("gone", lost)))
    found = compare([listed(f"here-{n}") for n in range(members)], there + gone)

    assert (removed, lost - removed) == (len(found.remove), found.not_believed)


@pytest.mark.parametrize("state", [State.REAUTHORIZE, State.EMPTY, State.ERROR, State.HELD])
def test_repaired_secrets_are_looked_at(state: State) -> None:
    """A secret that waits for a person is looked at at once when it changed after the last run.

    A refresh changes a secret, too: what is healthy, due already or was never read is left to its row.
    """
    waiting = row("a", found=seen(at=NOW - HOUR, state=state), next_at=NOW + HOUR)
    others = (row("a", next_at=NOW + HOUR), replace(waiting, next_at=NOW), row("a", new=True, next_at=NOW + HOUR))

    assert [[replace(waiting, next_at=NOW)], [], [], []] == [
        compare([listed("a", changed_at=NOW - MINUTE)], [each]).look_at for each in (waiting, *others)
    ]
    assert [[], []] == [compare([listed("a", changed_at=at)], [waiting]).look_at for at in (NOW - HOUR, None)]


def test_the_index_follows_the_tags() -> None:
    """New members come in, those that left go, and repaired ones become due, with progress for whoever waits."""
    dead = row("dead", found=seen(at=NOW - HOUR, state=State.REAUTHORIZE), next_at=NOW + HOUR)
    index = MemoryIndex(row("gone"), dead, row("stays"))
    progress: list[tuple[int, int]] = []

    found = synchronise(
        index,
        [listed(name, changed_at=NOW - MINUTE) for name in ("dead", "stays", "new")],
        fleet="prod",
        progress=lambda done, of: progress.append((done, of)),
    )

    assert {"added": 1, "removed": 1, "looked_at": 1, "not_believed": 0} == counts_of(found)
    assert {arn("dead"): NOW, arn("stays"): NOW, arn("new"): NOW} == {
        member.secret_arn: member.next_at for member in index.rows()
    }
    assert [(0, 3), (1, 3), (2, 3), (3, 3)] == progress
    assert [(arn("gone"), False)] == [(stone.secret_arn, stone.quietly) for stone in index.tombstones()]


@pytest.mark.parametrize(("rows", "level"), [(0, "info"), (6, "warning")])
def test_the_handler(
    dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rows: int, level: str
) -> None:
    """The deployed handler lists by tag and writes the table; a listing that lacks too much is a warning.

    It is a metric, too: the dispatcher knows only those that are out already.
    """
    monkeypatch.setenv("FLEET_NAME", "prod")
    monkeypatch.setenv("CLAIM_TABLE", TABLE)
    tags = cast("Any", [{"Key": "token-refresh:fleet", "Value": "prod"}])
    boto3.client("secretsmanager").create_secret(Name="a", Tags=tags)
    index = TableIndex(dynamodb, TABLE, "prod")
    for number in range(rows):
        index.add(row(f"gone-{number}"))

    assert {"added": 1, "removed": 0, "looked_at": 0, "not_believed": rows} == resync({}, None)
    assert 1 + rows == len(list(index.rows()))
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ("fleet_resync", level, "prod") == (line["event"], line["level"], line["fleet"])
    assert (100.0 if rows else 0.0, "prod") == (line["MembersLeftPercent"], line["Fleet"])
