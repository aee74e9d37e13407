import json
from typing import Any, cast

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE
from fleet.doubles import MemoryIndex
from fleet.rows import arn, row, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.enrolment import TaggedSecret
from token_refresh_worker.fleet.core.row import State
from token_refresh_worker.fleet.resync import counts_of, synchronise
from token_refresh_worker.handlers import resync


def listed(*names: str) -> list[TaggedSecret]:
    tags = {"token-refresh:fleet": "prod"}
    return [TaggedSecret(secret_arn=arn(name), tags=tags, changed_at=NOW - MINUTE) for name in names]


def test_the_index_follows_the_tags() -> None:
    """New members come in, those that left go, and repaired ones become due, with progress for whoever waits."""
    dead = row("dead", found=seen(at=NOW - HOUR, state=State.REAUTHORIZE), next_at=NOW + HOUR)
    index = MemoryIndex(row("gone"), dead, row("stays"))
    progress: list[tuple[int, int]] = []

    found = synchronise(
        index, listed("dead", "stays", "new"), fleet="prod", progress=lambda done, of: progress.append((done, of))
    )

    assert {"added": 1, "removed": 1, "looked_at": 1, "not_believed": 0} == counts_of(found)
    assert {arn("dead"): NOW, arn("stays"): NOW, arn("new"): NOW} == {
        member.secret_arn: member.next_at for member in index.rows()
    }
    assert [(0, 3), (1, 3), (2, 3), (3, 3)] == progress
    assert [(arn("gone"), False)] == [(stone.secret_arn, stone.quietly) for stone in index.tombstones()]


def test_a_lost_table_is_rebuilt() -> None:
    """An empty index gets all members back, due at once."""
    index = MemoryIndex()

    synchronise(index, listed(*(str(number) for number in range(100))), fleet="prod")

    assert 100 == sum(member.next_at == NOW for member in index.rows())


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
