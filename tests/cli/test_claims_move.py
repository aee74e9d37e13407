"""`claims move`: the claims of one secret go to the other store, and no run of the old one sends anything."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from builders import DAY
from cli.scene import SECRET_ID, Cli, Tokens, claim
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.core.claims import Claim

TABLE = "claims"


@pytest.fixture
def table(environment: dict[str, str]) -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as server:
        server.create_table(TABLE, key="secret_arn")
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = server.url
        yield server


def to_table(cli: Cli, *options: str) -> None:
    ended = cli("claims", "move", SECRET_ID, "--to=table", f"--table={TABLE}", "--yes", *options)
    assert 0 == ended.code, ended.screen


def test_there_and_back(cli: Cli, tokens: Tokens, table: DynamoDbServer, endpoint: TokenEndpoint) -> None:
    """Refreshes go on after each move; the other store's settings are refused, with the command that moves."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    to_table(cli)
    (item,) = table.tables[TABLE].values()
    refused = cli("refresh", "--force")
    refreshed = cli("refresh", "--force", "--json", CLAIM_TABLE=TABLE)
    back = cli("claims", "move", "--to=versions", "--yes", CLAIM_TABLE=TABLE)
    again = cli("refresh", "--force", "--json")

    assert "claim" in item
    assert (1, True) == (refused.code, "ConfigurationError" in refused.screen)
    assert "token-refresh claims move" in refused.screen
    assert ("refreshed", "refreshed") == (refreshed.json["outcome"], again.json["outcome"])
    assert 0 == back.code
    assert 3 == endpoint.grant.redemptions
    assert 0 == cli("status").code


def test_a_set_from_before_the_move(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """It can be restored, and names the store where the claims are now."""
    del table
    tokens.store(expires_in=DAY)
    before = cli("refresh", "--force", "--json").json["version_id"]
    to_table(cli)

    restored = cli("restore", "--version", before, "--yes", CLAIM_TABLE=TABLE)

    assert 0 == restored.code, restored.screen
    assert "table" == tokens.current()["tokenRefresh"]["store"]
    assert "refreshed" == cli("refresh", "--force", "--json", CLAIM_TABLE=TABLE).json["outcome"]


def test_the_ledger_comes_along(cli: Cli, tokens: Tokens, table: DynamoDbServer, endpoint: TokenEndpoint) -> None:
    """What is known about the current token counts in the new store, too: an unresolved attempt still holds."""
    tokens.store(expires_in=DAY)
    endpoint.play(script.status(500))
    cli("refresh", "--force", REPLAY_GRACE_SECONDS="0")

    to_table(cli)

    held = cli("status", "--json", REPLAY_GRACE_SECONDS="0", CLAIM_TABLE=TABLE).json
    assert "unknown" == held["attempts"][0]["result"]
    assert table.tables[TABLE]


def test_nothing_was_ever_claimed(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """A secret without claims moves by its document alone; a second move finds nothing to do."""
    tokens.store(expires_in=DAY)

    to_table(cli)
    again = cli("claims", "move", "--to=table", f"--table={TABLE}")

    assert {} == table.tables[TABLE]
    assert "are in the table already" in again.screen
    assert "refreshed" == cli("refresh", "--force", "--json", CLAIM_TABLE=TABLE).json["outcome"]


def test_an_open_claim(cli: Cli, tokens: Tokens, store: SecretsManagerServer, table: DynamoDbServer) -> None:
    """While a run holds a claim nothing moves; once it has ended it does."""
    claim(store, tokens.store(expires_in=DAY))

    open_claim = cli("claims", "move", "--to=table", f"--table={TABLE}", "--yes")
    store.clock_offset_seconds = 130

    assert 1 == open_claim.code
    assert f" on secret {SECRET_ID} until" in open_claim.screen
    assert f"then: token-refresh claims move {SECRET_ID} --to table --table {TABLE}" in open_claim.screen
    assert {} == table.tables[TABLE]
    to_table(cli)


def test_staged_tokens_first(cli: Cli, tokens: Tokens, store: SecretsManagerServer, table: DynamoDbServer) -> None:
    """Tokens that wait to become current are made so first."""
    tokens.store(expires_in=timedelta(hours=7))
    store.fault("deny", "UpdateSecretVersionStage")
    cli("refresh")

    ended = cli("claims", "move", "--to=table", f"--table={TABLE}", "--yes")

    assert 1 == ended.code
    assert f"token-refresh refresh {SECRET_ID} --region eu-central-1" in ended.screen
    assert {} == table.tables[TABLE]


def test_a_question(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """It asks whether the schedule is paused; no changes nothing."""
    tokens.store(expires_in=DAY)
    before = tokens.current()

    ended = cli("claims", "move", "--to=table", f"--table={TABLE}", stdin="n\n")

    assert 1 == ended.code
    assert "Is the schedule paused" in ended.screen
    assert before == tokens.current()
    assert {} == table.tables[TABLE]


def test_changed_meanwhile(cli: Cli, tokens: Tokens, table: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another version became current meanwhile, the document stays, and the move can be repeated."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    before = tokens.current()
    with monkeypatch.context() as patched:
        patched.setattr(SecretsManagerSecret, "move_label", lambda *_, **__: False)
        ended = cli("claims", "move", "--to=table", f"--table={TABLE}", "--yes")

    assert 1 == ended.code
    assert "became current meanwhile" in ended.screen
    assert before == tokens.current()
    to_table(cli)
    assert table.tables[TABLE]


def test_no_table_is_named(cli: Cli, tokens: Tokens) -> None:
    """The table has to be named, in both directions."""
    tokens.store(expires_in=DAY)

    ended = cli("claims", "move", "--to=versions")

    assert 1 == ended.code
    assert f"token-refresh claims move {SECRET_ID} --to versions --table NAME --region eu-central-1" in ended.screen


def test_a_rejected_attempt_comes_along(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, table: DynamoDbServer
) -> None:
    """A recorded fate is recorded in the new store, too."""
    tokens.store(expires_in=DAY)
    endpoint.grant.revoke()
    cli("refresh", "--force")

    to_table(cli)

    assert 2 == cli("status", CLAIM_TABLE=TABLE).code
    assert "rejected" == cli("status", "--json", CLAIM_TABLE=TABLE).json["attempts"][0]["result"]
    assert table.tables[TABLE]


def test_another_run_wrote_meanwhile(
    cli: Cli, tokens: Tokens, table: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another claim arrived in the target, nothing is moved."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    before = tokens.current()
    monkeypatch.setattr(TableClaims, "append", lambda *_, **__: False)

    ended = cli("claims", "move", "--to=table", f"--table={TABLE}", "--yes")

    assert 1 == ended.code
    assert "another run stored a claim on secret" in ended.screen
    assert before == tokens.current()
    assert {} == table.tables[TABLE]


def test_the_response_of_the_write_was_lost(
    cli: Cli, tokens: Tokens, table: DynamoDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the claim arrived though its write looked refused, as after a retry, the move goes on."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    append = TableClaims.append

    def refused(claims: TableClaims, claim: Claim, *, after: str | None) -> bool:
        append(claims, claim, after=after)
        return False

    monkeypatch.setattr(TableClaims, "append", refused)

    to_table(cli)

    assert table.tables[TABLE]
    assert "table" == tokens.current()["tokenRefresh"]["store"]


def test_a_table_that_was_lost(cli: Cli, tokens: Tokens, store: SecretsManagerServer, table: DynamoDbServer) -> None:
    """If the item is gone, `status` says that the next run starts the table again."""
    tokens.store(expires_in=DAY)
    to_table(cli)
    cli("refresh", "--force", CLAIM_TABLE=TABLE)
    table.tables[TABLE].clear()
    store.clock_offset_seconds = 20 * 60 * 60  # A refresh is due again.

    assert "starts the claim table again" in cli("status", CLAIM_TABLE=TABLE).screen


def test_with_a_table(cli: Cli, tokens: Tokens, table: DynamoDbServer, environment: dict[str, str]) -> None:
    """With claims in a table commands work the same; if it is unreadable, `history` says nothing about fates."""
    environment["CLAIM_TABLE"] = TABLE
    first = tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    assert "in table claims; 1 of 80 in 24 h" in cli("status").screen
    found = {v["version_id"]: v["fate"] for v in cli("history", "--json").json["versions"]}
    assert "redeemed" == found[first]
    (item,) = table.tables["claims"].values()
    item["claim"] = {"S": "garbage"}
    assert [None, None] == [v["fate"] for v in cli("history", "--json").json["versions"]]
    assert "is unreadable" in cli("status").screen
    assert "is unreadable" in cli("restore", "--yes").screen
