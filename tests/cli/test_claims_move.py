"""`claims move`: the claims of one secret go to another store, and no run of the old one sends anything."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY, HOUR
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes import change
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core.plan import LOST_CLAIMS

TABLE, OTHER = "claims", "restored"


@pytest.fixture
def table(environment: dict[str, str]) -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as server:
        for name in (TABLE, OTHER):
            server.create_table(name, key="secret_arn")
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = server.url
        yield server


def to_table(cli: Cli, *options: str, table: str = TABLE) -> None:
    ended = cli("claims", "move", SECRET_ID, "--to=table", f"--table={table}", *options)
    assert 0 == ended.code, ended.screen


def outcome(cli: Cli, table: str | None = None) -> str:
    ended = cli("refresh", "--force", "--json", **({"CLAIM_TABLE": table} if table else {}))
    return str(ended.json["outcome"]) if 0 == ended.code else ended.screen


def test_there_and_back(cli: Cli, tokens: Tokens, table: DynamoDbServer, endpoint: TokenEndpoint) -> None:
    """After each move refreshes go on without an option; settings of the other store are refused."""
    tokens.store(expires_in=DAY)
    before = cli("refresh", "--force", "--json").json["version_id"]

    to_table(cli)
    (item,) = table.tables[TABLE].values()
    restored = cli("restore", "--version", before, "--yes", CLAIM_TABLE=TABLE)
    store_of_restored = tokens.current()["tokenRefresh"]["store"]
    refreshed = outcome(cli)
    elsewhere = cli("status", CLAIM_TABLE=OTHER)
    known = cli("status", "--json", CLAIM_TABLE=TABLE).json["claims"]
    back = cli("claims", "move", "--to=versions")
    again, refused = outcome(cli), outcome(cli, TABLE)

    assert ("claim" in item, TABLE) == (True, known["table"])
    assert (0, "table") == (restored.code, store_of_restored), "a set from before the move names where claims are now"
    assert "ConfigurationError" in refused
    assert f"token-refresh claims move {SECRET_ID} --region eu-central-1 --to table --table {TABLE}" in refused
    assert f"the settings keep them in table {OTHER}" in elsewhere.screen
    assert "lost claims" not in elsewhere.screen, "they are where the settings don't say"
    assert ("refreshed", "refreshed") == (refreshed, again)
    assert 0 == back.code
    assert 3 == endpoint.grant.redemptions
    assert 0 == cli("status").code


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "broken", [(TableClaims, "append"), (SecretsManagerSecret, "put"), (SecretsManagerSecret, "move_label")]
)
def test_a_move_that_is_not_complete(
    cli: Cli, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, broken: tuple[type, str]
) -> None:
    """Where it was interrupted, no run refreshes; every message prints the command that completes it."""
    tokens.store(expires_in=DAY)
    outcome(cli, OTHER)
    port, call = broken
    with monkeypatch.context() as patched:
        patched.setattr(port, call, _after_the_fence(getattr(port, call)) if call == "append" else _raise)
        cli("claims", "move", "--to=table", f"--table={TABLE}")

    refused, status = outcome(cli, OTHER), cli("status", CLAIM_TABLE=OTHER)
    elsewhere = cli("claims", "move", "--to=versions", CLAIM_TABLE=OTHER)

    assert "is not complete" in refused
    assert "is not complete" in status.screen
    assert "is not complete" in elsewhere.screen
    assert all(f"--to table --table {TABLE}" in screen for screen in (refused, status.screen, elsewhere.screen))
    to_table(cli)
    assert "refreshed" == outcome(cli, TABLE)


def _raise(*_: object, **__: object) -> bool:
    raise KeyboardInterrupt


def _after_the_fence(append: Callable[..., bool]) -> Callable[..., bool]:
    def appended(claims: TableClaims, claim: Any, **how: Any) -> bool:
        if claims._table.name == TABLE:  # noqa: SLF001 - to tell the two apart
            raise KeyboardInterrupt
        return append(claims, claim, **how)

    return appended


def test_runs_that_never_rest(cli: Cli, tokens: Tokens, table: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where other runs are faster each time, the move ends with the command that goes on."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    monkeypatch.setattr(change, "WAIT_SECONDS", 0)
    monkeypatch.setattr(VersionClaims, "append", lambda *_, **__: False)

    ended = cli("claims", "move", "--to=table", f"--table={TABLE}")

    assert 1 == ended.code
    assert f"Go on with token-refresh claims move {SECRET_ID} --region eu-central-1 --to table" in ended.screen
    assert {} == table.tables[TABLE]


def test_no_table(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A move to a table needs its name, and that table; else everything stays as it is, and the runs go on."""
    tokens.store(expires_in=DAY)

    ended = cli("claims", "move", "--to=table")
    there = cli("claims", "move", "--to=versions")
    mistyped = cli("claims", "move", "--to=table", "--table=mistyped")

    assert (2, True) == (mistyped.code, "mistyped" in mistyped.screen)
    assert "refreshed" == outcome(cli)
    assert {} == table.tables[TABLE]

    assert 2 == ended.code
    assert f"token-refresh claims move {SECRET_ID} --table NAME --to table --region eu-central-1" in ended.screen
    assert "are in the secret already" in there.screen


def test_claims_in_the_secret_after_all(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A document that no run has written does not hide claims that are versions from a move between tables."""
    document = tokens.store(expires_in=DAY) and tokens.current()
    cli("refresh", "--force")
    tokens.put(document)

    ended = cli("claims", "move", "--to=table", f"--table={OTHER}", CLAIM_TABLE=TABLE)

    assert 2 == ended.code
    assert "are in the secret, and the settings keep them in table claims" in ended.screen
    assert {} == table.tables[OTHER]


def test_a_table_that_was_restored_under_another_name(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, table: DynamoDbServer, endpoint: TokenEndpoint
) -> None:
    """`--lost` names the other table, and counts the claims that it may lack as attempts."""
    tokens.store(expires_in=DAY)
    outcome(cli, TABLE)
    table.tables[OTHER] |= table.tables[TABLE]
    outcome(cli, TABLE)
    lost = ("claims", "move", "--to=table", f"--table={OTHER}", "--lost")
    there = cli(*lost)
    table.tables[TABLE].clear()

    renamed = cli(*lost)
    again = cli(*lost)

    assert f"table {TABLE} exists, and has lost no claims" in there.screen
    assert 0 == renamed.code, renamed.screen
    assert "already" in again.screen
    assert 2 + LOST_CLAIMS < tokens.current()["tokenRefresh"]["number"]
    store.clock_offset_seconds = 20 * 60 * 60  # A refresh is due again.
    assert "no result: the run died" in cli("status", CLAIM_TABLE=OTHER).screen
    assert 2 == endpoint.grant.redemptions


def test_a_table_that_is_gone(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A deleted table's error lists its backups, and prints the command that names another table in the document."""
    tokens.store(expires_in=DAY)
    outcome(cli, TABLE)
    del table.tables[TABLE]

    gone = cli("refresh", "--force", CLAIM_TABLE=TABLE, COLUMNS="500")
    (named,) = re.findall(r"token-refresh (claims move \S+ --to table --table NAME --lost --region \S+)", gone.screen)
    moved = cli(*named.replace("NAME", OTHER).split())

    assert 2 == gone.code
    assert f"aws dynamodb list-backups --backup-type ALL --table-name {TABLE} --region eu-central-1" in gone.screen
    assert (0, OTHER) == (moved.code, tokens.current()["tokenRefresh"]["table"]), moved.screen


def test_a_table_that_was_emptied(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A refresh begins the claims anew; where each token works once, runs wait: a lost claim may have used it."""
    tokens.store(expires_in=7 * HOUR)
    settings = {"CLAIM_TABLE": TABLE}
    assert 0 == cli("refresh", **settings).code
    table.tables[TABLE].clear()

    repeats, once = cli("status", **settings), cli("status", **settings, REPLAY_GRACE_SECONDS="0")

    force = f"token-refresh refresh {SECRET_ID} --force"
    assert [("has lost claims" in it.screen, force in it.screen) for it in (repeats, once)] == [
        (True, True),
        (True, False),
    ]


def test_nothing_is_lost(cli: Cli, tokens: Tokens, table: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--lost` is refused where claims are in the secret, and where another version became current meanwhile."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    lost = ("claims", "move", "--to=table", f"--table={OTHER}", "--lost")
    in_versions = cli(*lost)
    to_table(cli)
    to_versions = cli("claims", "move", "--to=versions", "--lost")
    table.tables.pop(TABLE)
    monkeypatch.setattr(SecretsManagerSecret, "move_label", lambda *_, **__: False)
    changed = cli(*lost)

    assert "names no claim table" in in_versions.screen
    assert f"claims move {SECRET_ID} --region eu-central-1 --to table --table NAME --lost" in to_versions.screen
    assert "became current meanwhile" in changed.screen
    assert (2, 1) == (in_versions.code, changed.code)


def test_with_a_table(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, table: DynamoDbServer, environment: dict[str, str]
) -> None:
    """Commands work the same; if the claim is unreadable, the newest token may be redeemed; a lost one begins again."""
    environment["CLAIM_TABLE"] = TABLE
    first = tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    assert "in table claims; 1 of 80 in 24 h" in cli("status").screen
    found = {v["version_id"]: v["fate"] for v in cli("history", "--json").json["versions"]}
    assert "redeemed" == found[first]
    (item,) = table.tables[TABLE].values()
    item["claim"] = {"S": "garbage"}
    assert ["may be redeemed", "redeemed"] == sorted(v["fate"] for v in cli("history", "--json").json["versions"])
    assert "in progress" in cli("status").screen
    del item["claimed_at"]
    assert [None, None] == [v["fate"] for v in cli("history", "--json").json["versions"]]
    assert "is unreadable" in cli("status").screen
    assert "is unreadable" in cli("restore", "--yes").screen
    table.tables[TABLE].clear()
    store.clock_offset_seconds = 20 * 60 * 60  # A refresh is due again.
    assert "writes a new claim record, because the table lost the old one" in cli("status").screen


def test_a_move_invents_no_host(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A move stores the token's host, so it asks for the provider where nothing names one, and moves nothing."""
    tokens.store(expires_in=DAY)
    old = tokens.current()
    unnamed = {"PROVIDER": "", "TOKEN_ENDPOINT": ""}

    refused = cli("claims", "move", "--to=table", f"--table={TABLE}", **unnamed)
    unchanged = tokens.current()
    named = cli("claims", "move", "--to=table", f"--table={TABLE}", "--provider=google", **unnamed)

    assert (2, old) == (refused.code, unchanged)
    assert "nothing names the provider" in refused.screen
    command = f"token-refresh claims move {SECRET_ID} --region eu-central-1 --to table --table {TABLE} --provider NAME"
    assert command in refused.screen
    assert (0, "oauth2.googleapis.com") == (named.code, tokens.current()["tokenRefresh"]["host"])
    assert table.tables[TABLE]
