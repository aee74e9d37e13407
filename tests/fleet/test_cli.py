from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from fleet.rows import arn, failed, row, seen
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.app import app
from token_refresh_worker.cli.fleet.duration import read_duration
from token_refresh_worker.cli.fleet.layout import lay_out, select
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Pause, Pauses, Row, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
IN_FORCE = Pause(until=NOW + 2 * HOUR, by="operator", why="maintenance")


@pytest.fixture
def index(dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> TableIndex:
    """A fleet whose table has its name."""
    made = dynamodb.describe_table(TableName="fleet-table")["Table"]
    indexes = [
        {name: found[name] for name in ("IndexName", "KeySchema", "Projection")}
        for found in made["GlobalSecondaryIndexes"]
    ]
    dynamodb.create_table(
        TableName="prod",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=made["AttributeDefinitions"],
        KeySchema=made["KeySchema"],
        GlobalSecondaryIndexes=cast("Any", indexes),
    )
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FLEET_NAME", "prod")
    return TableIndex(dynamodb, "prod", "prod")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fleet", *arguments])


def healthy(name: str, **others: Any) -> Row:
    return row(name, next_at=NOW + HOUR, found=seen(at=NOW, expires_at=NOW + 2 * HOUR, due_at=NOW + HOUR), **others)


def late(name: str) -> Row:
    return row(name, next_at=NOW, found=seen(expires_at=NOW + timedelta(minutes=1), due_at=NOW - HOUR))


def dead(name: str) -> Row:
    return row(name, provider="hubspot", found=failed("ReauthorizationRequired", at=NOW, state=State.REAUTHORIZE))


@pytest.mark.parametrize(
    ("rows", "code"),
    [([], 0), ([healthy("a")], 0), ([healthy("a"), dead("b")], 1), ([healthy("a"), dead("b"), late("c")], 2)],
)
def test_exit_status(index: TableIndex, rows: list[Row], code: int) -> None:
    """The exit status is 0 if all is well, 1 if somebody has to act, and 2 if a secret is overdue."""
    for member in rows:
        index.add(member)

    assert code == run("status").exit_code


def test_unknown(index: TableIndex) -> None:
    """A fleet that can't be read is status 3, and the error says what to deploy."""
    del index
    ended = run("status", "--fleet", "missing")

    assert 3 == ended.exit_code
    assert "ConfigurationError" in ended.stderr


def test_summary_first(index: TableIndex) -> None:
    """The first line counts the states, worst first; rows follow, worst first, and no more than asked for."""
    for member in (healthy("fine/1"), healthy("fine/2"), dead("dead/1"), late("late/1")):
        index.add(member)
    index.add(row("new/1", new=True))
    index.pause(IN_FORCE)
    index.pause(None)

    lines = run("status", "--limit", "2").stdout.splitlines()

    assert "fleet prod  5 secrets  1 overdue  1 reauthorize  1 due  2 healthy" == lines[0].strip()
    names = [line.split()[0] for line in lines if "/1" in line or "/2" in line]
    assert ["late/1", "dead/1"] == names
    assert "and 3 more; narrow them with --provider or --state, or use --json" in lines[-1]
    assert "none yet" in run("status").stdout


def test_a_narrow_terminal(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns no line is longer, and states, times and the names of errors are whole, however long the others."""
    monkeypatch.setenv("COLUMNS", "80")
    for number, error_type in enumerate(sorted(kind.__name__ for kind in _kinds(TokenRefreshError))):
        run = failed(error_type, at=NOW - HOUR, state=list(State)[number % 5])
        index.add(row(f"customers/{'x' * 99}/{number}", provider="a-provider-with-a-very-long-name", found=run))
    index.add(late("late/1"))
    index.pause(IN_FORCE, secret_arn=arn("late/1"))

    lines = CliRunner().invoke(app, ["fleet", "status", "--limit", "1000"]).stdout.splitlines()

    assert max(map(len, lines)) <= 80
    words = Counter(" ".join(lines).split())
    assert {kind.__name__ for kind in _kinds(TokenRefreshError)} <= set(words)
    assert words["overdue"]
    assert 1 < words["reauthorize"]


def _kinds(error: type[TokenRefreshError]) -> set[type[TokenRefreshError]]:
    return {error}.union(*map(_kinds, error.__subclasses__()))


def test_a_large_fleet() -> None:
    """Of 10,000 rows `status` prints the summary and the 20 most urgent; it counts the rest."""
    rows = [healthy(str(number)) for number in range(9_999)] + [late("late/1")]
    view = select(rows, Pauses(), fleet="prod", now=NOW, provider=None, state=None)
    console = Console(width=80, file=StringIO())
    console.print(*lay_out(view, limit=20), sep="\n")

    lines = cast("StringIO", console.file).getvalue().splitlines()
    assert "fleet prod  10000 secrets  1 overdue  9999 healthy" == lines[0].strip()
    assert len(lines) < 30
    assert "late/1" == next(line for line in lines if "/" in line).split()[0]
    assert "and 9980 more" in lines[-1]


def test_filters(index: TableIndex) -> None:
    """Rows are narrowed by provider and by state."""
    for member in (healthy("fine/1"), dead("dead/1"), late("late/1")):
        index.add(member)

    by_provider = json.loads(run("status", "--provider", "hubspot", "--json").stdout)
    by_state = json.loads(run("status", "--state", "overdue", "--json").stdout)

    assert [arn("dead/1")] == [found["secret_id"] for found in by_provider["rows"]]
    assert [arn("late/1")] == [found["secret_id"] for found in by_state["rows"]]


def test_json(index: TableIndex) -> None:
    """For machines there is one object with health, counts and every row, and no key without a value."""
    index.add(dead("dead/1"))
    index.add(row("new/1", new=True))
    index.pause(IN_FORCE, provider="xero")

    whole = json.loads(run("status", "--json").stdout)

    assert ("prod", "attention", 2, {"reauthorize": 1, "paused": 1}) == (
        whole["fleet"],
        whole["health"],
        whole["secrets"],
        whole["states"],
    )
    assert ("ReauthorizationRequired", 1) == (whole["rows"][0]["error_type"], whole["rows"][0]["failures"])
    assert "operator" == whole["rows"][1]["paused_by"]
    assert None not in whole["rows"][1].values()


def test_open_breakers(index: TableIndex) -> None:
    """The summary names the providers whose breaker is open and why; with --provider, that provider's alone."""
    now = datetime.now(UTC)  # In a long test run, a breaker that opened at NOW lets a run through.
    for number in range(5):
        index.add(row(f"down/{number}", provider="upwork", found=failed("TokenEndpointUnavailable", at=now)))
        index.add(row(f"wrong/{number}", provider="xero", found=failed("ClientRejected", at=now, state=State.ERROR)))

    assert "breaker of upwork is open: no response; 0 runs at once" in run("status").stdout
    assert {"upwork": "no_response", "xero": "client_rejected"} == json.loads(run("status", "--json").stdout)[
        "breakers"
    ]
    assert {"xero"} == set(json.loads(run("status", "--provider", "xero", "--json").stdout)["breakers"])


def test_pause_and_resume(index: TableIndex) -> None:
    """A pause has an end, a person and a reason; `status` prints the fleet's on top."""
    index.add(healthy("a"))
    assert 0 == run("pause", "--all", "--for", "30m", "--why", "maintenance").exit_code
    assert 0 == run("pause", "--provider", "xero").exit_code

    pauses = index.pauses()
    assert pauses.fleet is not None
    assert "maintenance" == pauses.fleet.why
    assert abs(pauses.fleet.until - datetime.now(UTC) - timedelta(minutes=30)) < timedelta(minutes=1)
    assert abs(pauses.providers["xero"].until - datetime.now(UTC) - 2 * HOUR) < timedelta(minutes=1)
    assert "maintenance" in run("status").stdout

    assert [0, 0] == [run("resume", *what).exit_code for what in (["--all"], ["--provider", "xero"])]
    assert Pauses() == index.pauses()


def test_a_misspelt_provider(index: TableIndex) -> None:
    """A provider that no secret has is unknown to `status`, not healthy, and `pause` says that it pauses nothing."""
    index.add(late("a"))

    assert 3 == run("status", "--provider", "xreo").exit_code
    assert "No secret of fleet prod has the provider xreo" in run("pause", "--provider", "xreo").stderr
    assert "" == run("pause", "--provider", "xero").stderr + run("resume", "--provider", "xreo").stderr


@pytest.mark.parametrize("option", ["--fleet", "--region", "--profile", "--provider"])
def test_an_empty_option(option: str) -> None:
    """An empty option, as an unset variable of the shell gives it, is a wrong option, and never the default."""
    ended = run("status", "--fleet", "prod", option, "")

    assert ended.exit_code in {2, 64}  # The whole command line makes 64 of Typer's 2.
    assert f"{option} is empty" in ended.output


def test_a_user_without_a_name(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have no name; its pause counts."""

    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)

    assert 0 == run("pause", "--all").exit_code
    pauses = index.pauses()
    assert pauses.fleet is not None
    assert "somebody" == pauses.fleet.by


def test_pause_one_secret(index: TableIndex) -> None:
    """One secret is named by its name; one that is not in the fleet is refused, with the command that adds it."""
    secret_arn = _secret("customers/1")
    assert "fleet add customers/1 --fleet prod" in " ".join(run("pause", "--secret", "customers/1").stderr.split())

    index.add(Row(secret_arn=secret_arn, provider="xero", added_at=NOW, next_at=NOW))
    ended = run("pause", "--secret", "customers/1")
    assert (0, "") == (ended.exit_code, ended.stderr)

    (member,) = index.rows()
    assert member.pause is not None


@pytest.mark.parametrize(
    "what",
    [
        [],
        ["--all", "--provider", "xero"],
        ["--all", "--for", "2 hours"],
        ["--all", "--why", "x" * 501],
        ["--secret", ""],
        ["--provider", " "],
    ],
)
def test_wrong_pauses(index: TableIndex, what: list[str]) -> None:
    """A pause of nothing, of two things, of a script's empty variable or of an unreadable length is a wrong option."""
    assert run("pause", *what).exit_code not in {0, 1}
    assert Pauses() == index.pauses()
    assert not index.pause(IN_FORCE, secret_arn="")


def test_a_table_of_claims_is_no_fleet(index: TableIndex, dynamodb: DynamoDBClient) -> None:
    """A table without rows is refused before anything is changed: one secret's claims may be in it."""
    del index
    secret_arn = _secret("a")
    dynamodb.create_table(
        TableName="claims",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "secret_arn", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "secret_arn", "KeyType": "HASH"}],
    )

    ended = [run(*what, "--fleet", "claims").exit_code for what in (["add", "a"], ["pause", "--all"], ["resync"])]

    assert ([1, 1, 1], {}) == (ended, _tags(secret_arn))
    assert [] == dynamodb.scan(TableName="claims")["Items"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604800), ("32d", 0), ("0h", 0), ("h", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    """Durations are a number and a unit, up to a month."""
    if seconds:
        assert seconds == read_duration(text).total_seconds()
    else:
        with pytest.raises(typer.BadParameter, match="such as 2h"):
            read_duration(text)


def _secret(name: str, **tags: str) -> str:
    given: Any = [{"Key": f"token-refresh:{key}", "Value": value} for key, value in tags.items()]
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    return str(client.create_secret(Name=name, SecretString="{}", Tags=given)["ARN"])


def _tags(name: str) -> dict[str, str]:
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    return {tag["Key"]: tag["Value"] for tag in client.describe_secret(SecretId=name).get("Tags", ())}


def test_add(index: TableIndex) -> None:
    """Adding tags a secret and makes it due; adding a member makes it due again, without a tag."""
    first, second = _secret("a"), _secret("b", fleet="prod")
    index.add(Row(secret_arn=second, provider="xero", added_at=NOW, next_at=NOW + HOUR))

    assert 0 == run("add", "b").exit_code
    ended = run("add", "a", "b", "--provider", "xero", "--region", "eu-central-1")

    assert (0, "2 of 2 secrets are in fleet prod") == (ended.exit_code, ended.stdout.strip())
    assert {"token-refresh:fleet": "prod", "token-refresh:provider": "xero"} == _tags("a")
    rows = {member.secret_arn: member for member in index.rows()}
    assert ({first, second}, "xero") == (set(rows), rows[first].provider)
    assert all(member.next_at < NOW + HOUR for member in rows.values())


def test_add_what_can_not_be_added(index: TableIndex) -> None:
    """A secret that does not exist, or is in another fleet, is named, and the others are added."""
    _secret("a")
    _secret("other", fleet="test")

    ended = run("add", "missing", "other", "a")

    assert (1, "1 of 3 secrets are in fleet prod") == (ended.exit_code, ended.stdout.strip())
    assert "missing: SecretNotFound" in ended.stderr
    assert "untag-resource" in ended.stderr
    assert 1 == len(list(index.rows()))


def test_a_fleet_that_is_not_there_gets_no_member(index: TableIndex) -> None:
    """A misspelt fleet is an error before any secret gets its tag, which would keep it out of the right fleet."""
    del index
    secret_arn = _secret("a")

    ended = run("add", "a", "--fleet", "prdo")

    assert (1, "") == (ended.exit_code, ended.stdout)
    assert "table prdo" in ended.stderr
    assert {} == _tags(secret_arn)
    assert 0 == run("add", "a").exit_code


def test_resync(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resync brings in what carries the tag, and says what it did, in words or as JSON."""
    _secret("a", fleet="prod")
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


def test_profile(index: TableIndex) -> None:
    """A profile replaces the environment's credentials; one that does not exist is an error that names it."""
    del index

    assert 3 == run("status", "--profile", "there-is-none-of-this-name").exit_code
