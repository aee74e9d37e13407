"""Tokens that the claim table keeps: what `status`, `doctor`, `history` and `claims move` say, and `refresh` does."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.dynamodb.server import DynamoDbServer
from testbed.kms import Kms
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.run import redemption

TABLE = "claims"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"
REFRESH = f"token-refresh refresh {SECRET_ID} --region eu-central-1"


@pytest.fixture
def kms(
    environment: dict[str, str], tokens: Tokens, store: SecretsManagerServer, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kms]:
    """A run received tokens while Secrets Manager refused every write, and the table keeps them."""
    with DynamoDbServer() as table, Kms() as server:
        table.create_table(TABLE, key="secret_arn")
        environment |= server.environment
        environment |= {"AWS_ENDPOINT_URL_DYNAMODB": table.url, "CLAIM_TABLE": TABLE, "KEPT_TOKENS_KEY_ID": KEY}
        environment["REPLAY_GRACE_SECONDS"] = "0"
        tokens.store(expires_in=timedelta(hours=7))
        store.fault("deny", "PutSecretValue", times=None)
        with monkeypatch.context() as patched:
            patched.setattr(redemption, "repeat", lambda call, **_: call())  # Not until the deadline.
            ended = cli("refresh")
        assert "TokensKept" in ended.screen
        yield server


def test_what_is_said_of_them(cli: Cli, kms: Kms) -> None:
    """It is no failed run and no unknown outcome: tokens wait, and the printed command stores them."""
    asked = len(kms.actions)
    status, as_json, doctor = cli("status"), cli("status", "--json").json, cli("doctor").screen
    history, versions = cli("history").screen, cli("history", "--json").json

    assert 1 == status.code
    assert "Secrets Manager refused them; the claim table keeps them" in status.screen
    assert "stores the tokens that the claim table keeps" in status.screen
    assert REFRESH in status.screen
    assert "kept" == as_json["attempts"][0]["result"]
    assert "the claim table keeps them, encrypted. Don't delete the table" in doctor
    assert "tokens arrived, and the claim table keeps them" in doctor.partition("last refresh")[2]
    assert "are not in this list: Secrets Manager refused them" in history
    assert REFRESH in history
    assert ["redeemed"] == [version["fate"] for version in versions["versions"]]
    assert versions["kept_since"]
    assert asked == len(kms.actions), "nothing is decrypted"


def test_refresh_stores_them(cli: Cli, tokens: Tokens, store: SecretsManagerServer, kms: Kms) -> None:
    """Once Secrets Manager takes writes, no request is needed; after that nothing speaks of them."""
    before, dry = tokens.current(), cli("refresh", "--dry-run", "--json").json
    store.faults.clear()

    ended = cli("refresh", "--json").json

    assert ("would_recover", "recovered") == (dry["outcome"], ended["outcome"])
    assert before["refreshToken"] != tokens.current()["refreshToken"]
    assert {"Encrypt": 1, "Decrypt": 1} == {action: kms.actions.count(action) for action in kms.actions}
    assert 0 == cli("status").code
    assert "not in this list" not in cli("history").screen
    assert "kept_since" not in cli("history", "--json").json


def test_a_key_that_refuses_is_an_error_of_its_own(cli: Cli, store: SecretsManagerServer, kms: Kms) -> None:
    """It names the key and the action, and both ways on."""
    store.faults.clear()
    kms.refuses = True

    ended = cli("refresh", "--force")

    assert "KeptTokensUnreadable" in ended.screen
    assert f"kms:Decrypt on key {KEY}" in ended.screen
    assert f"token-refresh authorize {SECRET_ID}" in ended.screen
