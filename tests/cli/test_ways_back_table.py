"""From each bad state with claims in a table back to a healthy secret, by an operator who only reads the messages."""

import re
from collections.abc import Iterator

import pytest

from cli.shell import commands_in
from cli.ways import REGION, SECRET, STATUS, Scene
from testbed.aws.faults import Call
from testbed.dynamodb.server import DynamoDbServer

TABLE = "claims"
REFRESH = f"token-refresh refresh {SECRET} --force --region {REGION}"


@pytest.fixture
def table(scene: Scene) -> Iterator[DynamoDbServer]:
    """A claim table, which the settings don't name yet."""
    with DynamoDbServer() as server:
        server.create_table(TABLE, key="secret_arn")
        scene.shell.environment[server.endpoint_variable] = server.url
        yield server


@pytest.fixture
def in_table(scene: Scene, table: DynamoDbServer) -> Scene:
    """A secret whose claims are in the table, and an operator who has not set it."""
    scene.create(hours=9)
    moved = scene.shell.run(f"token-refresh claims move {SECRET} --to table --table {TABLE} --region {REGION}")
    assert 0 == moved.code, moved.screen
    assert table.tables[TABLE]
    return scene


def test_settings_without_the_table(in_table: Scene) -> None:
    """Claims in a table that the settings don't name take no option: the token document names the table."""
    refreshed, status = in_table.shell.run(REFRESH), in_table.shell.run(STATUS)

    assert "HEALTHY" in status.out
    assert f"in table {TABLE}" in status.out
    assert 0 == refreshed.code


@pytest.mark.parametrize("first", [STATUS, REFRESH])
def test_a_deployment_without_the_table(in_table: Scene, first: str) -> None:
    """If the tags name a deployment without the table, the message prints the command that moves the claims back."""
    in_table.client.tag_resource(SecretId=SECRET, Tags=[{"Key": "token-refresh:function", "Value": "worker"}])
    ended = in_table.shell.run(first)
    assert 0 != ended.code
    assert "they are not where the settings say" in ended.screen or first != STATUS

    in_table.follow(ended, "claims move", NAME=TABLE)

    assert in_table.is_healthy()
    assert 0 == in_table.shell.run(REFRESH).code


@pytest.mark.parametrize("first", [STATUS, REFRESH, f"token-refresh restore {SECRET} --region {REGION}"])
def test_claims_not_moved_yet(scene: Scene, table: DynamoDbServer, first: str) -> None:
    """A table was deployed and the claims were not moved: the message prints the command that moves them."""
    scene.create()
    assert 0 == scene.shell.run(REFRESH).code
    scene.shell.environment["CLAIM_TABLE"] = TABLE

    scene.follow(scene.shell.run(first), "claims move", NAME=TABLE)

    assert scene.is_healthy()
    assert table.tables[TABLE]
    assert 0 == scene.shell.run(REFRESH).code


def test_staged_tokens(in_table: Scene) -> None:
    """Tokens that an interrupted run stored: `status` prints the command that makes them current."""
    in_table.shell.environment["CLAIM_TABLE"] = TABLE
    in_table.store.fault("deny", "UpdateSecretVersionStage")
    in_table.shell.run(REFRESH)

    recovered = in_table.follow(in_table.shell.run(STATUS), "refresh")

    assert "recovered" in recovered.out
    assert in_table.is_healthy()


def test_garbage(in_table: Scene) -> None:
    """Garbage over a good token set: the command of the message brings the set back, and it names today's claims."""
    in_table.shell.environment["CLAIM_TABLE"] = TABLE
    assert 0 == in_table.shell.run(REFRESH).code
    for _ in range(2):
        in_table.client.put_secret_value(SecretId=SECRET, SecretString="garbage")

    in_table.follow(in_table.shell.run(STATUS), "restore")

    assert in_table.is_healthy()
    assert 0 == in_table.shell.run(REFRESH).code


def test_a_set_of_before_the_move(scene: Scene, table: DynamoDbServer) -> None:
    """A token set that names the secret as its claim store comes back after a move, and names the table then."""
    scene.create()
    assert 0 == scene.shell.run(REFRESH).code
    move = f"token-refresh claims move {SECRET} --to table --table {TABLE} --region {REGION}"
    assert 0 == scene.shell.run(move).code
    scene.shell.environment["CLAIM_TABLE"] = TABLE

    assert 0 == scene.shell.run(f"token-refresh restore {SECRET} --region {REGION} --yes").code

    assert table.tables[TABLE]
    assert scene.is_healthy()
    assert 0 == scene.shell.run(REFRESH).code


def test_denied(in_table: Scene, table: DynamoDbServer) -> None:
    """A role without permissions on the table: each message names the one action to allow."""
    in_table.shell.environment["CLAIM_TABLE"] = TABLE
    allowed: set[str] = set()
    table.authorize = lambda call: None if call.operation in allowed else "no"

    for _ in range(4):
        ended = in_table.shell.run(REFRESH)
        if ended.code == 0:
            break
        named = re.search(rf"dynamodb:(\w+) on table {TABLE} in {REGION} .*was denied", ended.screen)
        assert named is not None, ended.screen
        allowed.add(named[1])

    assert {"GetItem", "UpdateItem"} >= allowed
    assert in_table.is_healthy()


def test_a_table_that_was_emptied(in_table: Scene, table: DynamoDbServer) -> None:
    """A table that was restored from an old backup, or emptied, is called so, and the printed command begins anew."""
    in_table.shell.environment["CLAIM_TABLE"] = TABLE
    assert 0 == in_table.shell.run(REFRESH).code
    table.tables[TABLE].clear()

    lost = in_table.shell.run(STATUS)

    def pass_ten_minutes(when: str, call: Call) -> None:
        """Let the claim that replaces the lost ones end, as soon as it is stored."""
        if (when, call.operation) == ("after", "UpdateItem") and not table.clock_offset_seconds:
            table.clock_offset_seconds = in_table.store.clock_offset_seconds = 600

    table.on_call = pass_ten_minutes
    followed = in_table.follow(lost, "refresh")

    assert 1 == lost.code
    assert "refreshed" in followed.screen
    assert f"table {TABLE} has lost claims on this secret: it was emptied, restored from a backup" in lost.screen
    assert in_table.is_healthy()


def test_a_table_that_is_gone(in_table: Scene, table: DynamoDbServer) -> None:
    """A table that was deleted: the message lists its backups, and names another table in the document."""
    in_table.shell.environment["CLAIM_TABLE"] = TABLE
    assert 0 == in_table.shell.run(REFRESH).code
    del table.tables[TABLE]
    table.create_table("restored", key="secret_arn")

    gone = in_table.shell.run(REFRESH)
    line = next(line for line in commands_in(gone) if "--lost" in line).replace("NAME", "restored")
    moved = in_table.shell.run(line)
    in_table.shell.environment["CLAIM_TABLE"] = "restored"

    assert f"aws dynamodb list-backups --backup-type ALL --table-name {TABLE} --region {REGION}" in gone.screen
    assert 0 == moved.code, moved.screen
    assert in_table.is_healthy(), in_table.shell.run(STATUS).screen
    assert table.tables["restored"]


def test_a_table_that_does_not_exist(in_table: Scene) -> None:
    """A wrong name: the message names the table, the region and the variable."""
    in_table.shell.environment["CLAIM_TABLE"] = "wrong"

    ended = in_table.shell.run(REFRESH)

    assert 2 == ended.code
    assert f"table wrong in {REGION}" in ended.screen
    assert "CLAIM_TABLE" in ended.screen
