"""`token-refresh fleet add`, `remove`, `retry` and `resync`: who is in a fleet, and who is looked at now."""

import json
from dataclasses import replace
from io import StringIO
from typing import cast
from unittest.mock import patch

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient
from rich.console import Console
from typer.testing import CliRunner

from fleet.command import HOUR, IN_FORCE, NOW, ends, healthy, join, late, run, said, tagged_secret, tags_of
from fleet.doubles import CommandsTable
from fleet.rows import arn, failed, row, seen
from token_refresh_admin.cli.app import app
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Row, State


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither paced calls nor runs under way are waited for."""
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)


def test_a_table_of_claims_is_no_fleet(moto_index: TableIndex, dynamodb: DynamoDBClient) -> None:
    """A table without rows is refused before anything is changed: one secret's claims may be in it."""
    del moto_index
    secret_arn = tagged_secret("a")
    dynamodb.create_table(
        TableName="claims",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "secret_arn", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "secret_arn", "KeyType": "HASH"}],
    )

    ended = [run(*what, "--fleet", "claims").exit_code for what in (["add", "a"], ["remove", "a"], ["resync"])]

    assert ([2, 2, 2], {}) == (ended, tags_of(secret_arn))
    assert [] == dynamodb.scan(TableName="claims")["Items"]


def test_add(index: TableIndex) -> None:
    """Adding tags a secret and makes it due; adding a member makes it due again, without a tag."""
    first, second = tagged_secret("a"), join(index, "b", next_at=NOW + HOUR)

    assert 0 == run("add", "b").exit_code
    added = ends("add", "a", "b", "--provider", "xero", "--region", "eu-central-1")

    assert (0, "2 of 2 secrets are in fleet prod") == added
    assert {"token-refresh:fleet": "prod", "token-refresh:provider": "xero"} == tags_of("a")
    rows = {member.secret_arn: member for member in index.rows()}
    assert ({first, second}, "xero") == (set(rows), rows[first].provider)
    assert all(member.next_at < NOW + HOUR for member in rows.values())


def test_add_for_machines(index: TableIndex) -> None:
    """One object lists what is in the fleet now, and what is not; the exit status and standard error say why."""
    tagged_secret("a")

    ended = run("add", "a", "missing", "--provider", "xero", "--json")

    assert {"fleet": "prod", "added": ["a"], "failed": ["missing"]} == json.loads(ended.stdout)
    assert (2, True) == (ended.exit_code, "SecretNotFound" in ended.stderr)
    assert ["a"] == [member.name for member in index.rows()]


def test_add_what_can_not_be_added(index: TableIndex) -> None:
    """A secret that does not exist, is in another fleet or is a replica is named, and the others are added.

    Of 300 missing names one line says how many there are, and none how to create them. A misspelt provider is refused
    with the nearest name, before any secret is tagged with it.
    """
    tagged_secret("a")
    tagged_secret("other", fleet="test")
    boto3.client("secretsmanager", region_name="eu-central-1").create_secret(
        Name="copy", Tags=[{"Key": "token-refresh:published-from", "Value": "its/tokens"}]
    )
    there = boto3.client("secretsmanager", region_name="eu-west-1")
    there.create_secret(Name="replica", SecretString="{}", AddReplicaRegions=[{"Region": "eu-central-1"}])

    misspelt = run("add", "a", "--provider", "xerro")
    assert (2, True, {}) == (misspelt.exit_code, "did you mean xero?" in misspelt.stderr, tags_of("a"))
    ended = run("add", *(f"missing/{number}" for number in range(300)), "other", "replica", "copy", "a")

    assert (2, "1 of 304 secrets are in fleet prod") == (ended.exit_code, ended.stdout.strip())
    assert "is a replica of the one in eu-west-1" in said(ended)
    assert "secret copy is the copy of its/tokens for services, and has no refresh token" in said(ended)
    assert "token-refresh fleet add its/tokens --fleet prod --region eu-central-1" in said(ended)
    assert "300 failed with SecretNotFound in eu-central-1: missing/" in ended.stderr
    assert not {"authorize", "create"} & set(ended.stderr.split())
    assert "take it out first: token-refresh fleet remove other --fleet " in said(ended)
    assert ended.stderr.endswith("run the same command again.\n")
    assert 1 == len(list(index.rows()))


@pytest.mark.parametrize(
    ("names", "typed", "joined", "says"),
    [
        (["-"], "a\n\nb\na\n", 2, "2 of 2 secrets are in fleet prod"),
        (["-", "a"], "b\n", 0, "not both"),
        (["-"], "\n", 0, "no secret is named"),
    ],
)
def test_names_from_standard_input(index: TableIndex, names: list[str], typed: str, joined: int, says: str) -> None:
    """Thousands of names come from standard input, one a line; empty lines and repetitions count as nothing.

    A - beside names is no name, and an empty input is an error, not a success.
    """
    for name in ("a", "b"):
        tagged_secret(name)

    ended = CliRunner().invoke(app, ["fleet", "add", *names], input=typed)

    assert (joined > 0, True) == (ended.exit_code == 0, says in ended.output)
    assert joined == len(list(index.rows()))


def test_a_fleet_that_is_not_there_gets_no_member(moto_index: TableIndex) -> None:
    """A misspelt fleet is an error before any secret gets its tag, which would keep it out of the right fleet."""
    del moto_index
    secret_arn = tagged_secret("a")

    ended = run("add", "a", "--fleet", "prdo")

    assert (2, "") == (ended.exit_code, ended.stdout)
    assert "table prdo" in ended.stderr
    assert {} == tags_of(secret_arn)
    assert 0 == run("add", "a").exit_code


def test_resync(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resync brings in what carries the tag, and says what it did, in words or as JSON."""
    tagged_secret("a", fleet="prod")
    monkeypatch.setenv("AWS_PROFILE", "")

    assert "1 added, 0 removed, 0 looked at, 0 not believed" == run("resync").stdout.strip()
    assert {"added": 0, "removed": 0, "looked_at": 0, "not_believed": 0} == json.loads(run("resync", "--json").stdout)
    assert 1 == len(list(index.rows()))


def test_a_large_part_that_has_left(index: TableIndex) -> None:
    """Rows that an incomplete listing may lack stay, and the resync says how they go if the secrets have left."""
    for number in range(6):
        index.add(healthy(f"gone/{number}"))

    ended = run("resync")
    assert (0, "0 added, 0 removed, 0 looked at, 6 not believed") == (ended.exit_code, ended.stdout.strip())
    assert "6 rows stay" in ended.stderr
    assert "--believe" in ended.stderr

    ended = run("resync", "--believe")
    assert ("0 added, 6 removed, 0 looked at, 0 not believed", "") == (ended.stdout.strip(), ended.stderr.strip())
    assert [] == list(index.rows())


def test_retry(index: TableIndex) -> None:
    """After a repair, what failed is due at once: also what Secrets Manager refused, whose state is no error."""
    broken = failed("SecretAccessDenied", at=NOW, state=State.ERROR, requests=0)
    kept = failed("TokensKept", at=NOW)
    rejected = failed("ReauthorizationRequired", at=NOW, state=State.REAUTHORIZE)
    for name, found in {"broken": broken, "kept": kept, "rejected": rejected}.items():
        index.add(row(name, next_at=NOW + HOUR, found=found))
    again = replace(healthy("fine"), secret_arn=arn("fine").replace("AbCdEf", "GhIjKl"))
    index.add(late("late"))
    index.add(healthy("fine"))
    index.pause(IN_FORCE, secret_arn=arn("kept"))

    def due() -> set[str]:
        return {member.name for member in index.rows() if member.next_at <= index.read_clock()} - {"late"}

    ended = run("retry", "--state", "error")
    assert (0, "2 of 2 secrets are due now") == (ended.exit_code, ended.stdout.strip())
    assert {"broken", "kept"} == due()
    assert "1 of them are paused" in ended.stderr
    assert "1 of 1" in run("retry", "--state", "overdue").stdout
    assert "1 of 1" in run("retry", "fine").stdout
    assert {"broken", "kept", "fine"} == due()
    assert "5 of 5" in run("retry", "--state", "all").stdout
    index.add(again)
    assert "2 of 2" in run("retry", "fine").stdout, "a secret that was deleted and made again has two rows"
    assert (2, True) == ((other := run("retry", "stranger")).exit_code, "not in fleet prod" in other.stderr)
    assert 0 != run("retry").exit_code


def test_progress(monkeypatch: pytest.MonkeyPatch, index: TableIndex) -> None:
    """In a log, standard error gets a line now and then, and standard output the result alone; a terminal has a bar."""
    monkeypatch.setattr("token_refresh_admin.cli.fleet.members.PROGRESS_EVERY", 2)
    for name in "abc":
        tagged_secret(name)

    ended = run("add", "a", "b", "c")

    assert ("adding: 2 of 3", "3 of 3 secrets are in fleet prod") == (ended.stderr.strip(), ended.stdout.strip())
    assert 3 == len(list(index.rows()))
    terminal = Console(file=StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr("token_refresh_admin.cli.fleet.members.errors", lambda: terminal)
    assert "1 of 1 secrets are in fleet prod" == run("add", "a").stdout.strip()
    assert "adding" in cast("StringIO", terminal.file).getvalue()


def test_remove(index: TableIndex) -> None:
    """Removing takes the tags off and leaves a quiet tombstone; the secret stays as it is.

    A removal that died after it took the tag off is finished by the next one, although a resync came between.
    """
    arns = [join(index, "a"), join(index, "b", fleet=None)]
    index.remove(arns[1], NOW, quietly=False)

    assert (0, "2 of 2 secrets have left fleet prod") == ends("remove", "a", "b")
    assert ({}, []) == (tags_of("a"), list(index.rows()))
    assert {(secret_arn, True) for secret_arn in arns} == {
        (each.secret_arn, each.quietly) for each in index.tombstones()
    }
    assert 0 == run("remove", "a").exit_code, "again, it changes nothing"


def test_a_run_under_way_can_still_store(index: TableIndex, table: CommandsTable) -> None:
    """The row goes first, so that no run begins; the tag goes two minutes later, or stays with what a run kept.

    A run may be under way on what is due, on what fails and is tried early, and on what an interrupted removal left.
    """
    arns: dict[str, str] = {}
    for name in ("a", "kept", "later", "failing", "interrupted"):
        next_at = NOW + HOUR if name in {"later", "failing"} else NOW
        found = failed("TokensKept", at=NOW) if name == "failing" else seen(at=NOW)
        arns[name] = join(index, name, next_at=next_at, seen=found)
    index.remove(arns["interrupted"], NOW, quietly=True)
    waited = list[float]()

    def meanwhile(seconds: float) -> None:
        if seconds > 1:
            waited.append(seconds)
            assert ([], "prod") == (list(index.rows()), tags_of("a")["token-refresh:fleet"])
            table.table.put({"secret_arn": {"S": arns["kept"]}, "kept_tokens": {"L": [{"B": b"ciphertext"}]}})

    with patch.object(SystemClock, "sleep", side_effect=meanwhile):
        ended = run("remove", *arns, "--wait", "3m")

    assert (2, "4 of 5 secrets have left fleet prod") == (ended.exit_code, ended.stdout.strip())
    assert ([180], [{}] * 4) == (waited, [tags_of(name) for name in arns if name != "kept"])
    assert "runs may be under way on 4 of them" in ended.stderr
    assert "keeps new tokens of secret kept" in said(ended)
    assert (["kept"], "prod") == ([m.name for m in index.rows()], tags_of("kept")["token-refresh:fleet"])


def test_a_resync_comes_long_after_a_removal(index: TableIndex) -> None:
    """The tombstone is as old as the missing tag: a listing may show the tag for minutes, and would bring it back."""
    secret_arn = join(index, "a", seen=seen(at=NOW))

    def long_after(seconds: float) -> None:
        # A resync has taken it back meanwhile, as it does after ten minutes.
        if seconds > 1:
            index.add(Row(secret_arn=secret_arn, provider="xero", added_at=NOW, next_at=NOW))

    with patch.object(SystemClock, "sleep", side_effect=long_after):
        assert 0 == run("remove", "a", "--wait", "9m").exit_code
    assert ([], [True]) == (list(index.rows()), [stone.quietly for stone in index.tombstones()])


def test_remove_a_secret_that_is_deleted(index: TableIndex) -> None:
    """A member whose secret is deleted, or is marked for it, is removed all the same, by its name or its ARN."""
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    for name in ("marked", "gone", "gone-too"):
        secret_arn = join(index, name)
        client.delete_secret(SecretId=name, **({} if name == "marked" else {"ForceDeleteWithoutRecovery": True}))

    ended = run("remove", "marked", "gone", secret_arn)

    assert (0, "") == (ended.exit_code, ended.stderr)
    assert [True] * 3 == [stone.quietly for stone in index.tombstones()]


def test_remove_what_can_not_be_removed(index: TableIndex, table: CommandsTable) -> None:
    """What is no member is refused, and so is a secret whose new tokens the table keeps: nothing would store them.

    Also if the last run failed otherwise.
    """
    tagged_secret("stranger", fleet="test")
    kept = join(index, "kept", seen=failed("SecretStoreUnavailable", at=NOW))
    table.table.put({"secret_arn": {"S": kept}, "kept_tokens": {"L": [{"B": b"ciphertext"}]}})

    ended = run("remove", "missing", "stranger", "kept")

    printed = said(ended)
    assert (2, "0 of 3 secrets have left fleet prod") == (ended.exit_code, ended.stdout.strip())
    assert "1 failed with SecretNotFound in eu-central-1: missing." in printed
    assert "secret stranger is not in fleet prod" in printed
    assert "keeps new tokens of secret kept" in printed
    assert [kept] == [member.secret_arn for member in index.rows()]
    assert {"token-refresh:fleet": "test"} == tags_of("stranger")
