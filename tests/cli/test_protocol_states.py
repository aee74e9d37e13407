"""What the operator sees of the protocol: hosts, claims and their stores, fates, and claims that are reserved."""

from datetime import UTC, datetime
from typing import Any

import pytest

from builders import DAY, HOUR
from cli.scene import SECRET_ID, Cli, Tokens
from cli.states import lose_received_tokens
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def test_status_of_a_refreshed_secret(cli: Cli, tokens: Tokens) -> None:
    """Status shows provider, host, grace, claim store, the claims of the day, and who forced an attempt."""
    tokens.store()
    cli("refresh", "--force")

    status, fields = cli("status"), cli("status", "--json").json

    assert "Upwork at 127.0.0.1; accepts a refresh token again for 1 d" in status.screen
    assert "in the secret; 1 of 40 in 24 h" in status.screen
    assert "refreshed, forced" in status.screen
    assert ("upwork", "127.0.0.1", 86_400) == tuple(fields[name] for name in ("provider", "host", "grace_seconds"))
    assert {"store": "versions", "number": 1, "used": 1, "limit": 40} == fields["claims"]
    assert fields["attempts"][0]["forced"]


def test_single_use(cli: Cli, tokens: Tokens) -> None:
    """Without a grace the refresh token is single use."""
    tokens.store(expires_in=DAY)

    assert "single use" in cli("status", REPLAY_GRACE_SECONDS="0").screen


def test_tokens_of_another_host(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Tokens of another host are broken with these settings; nothing is sent, and the way out is printed."""
    tokens.store(tokenRefresh={"host": "api.example.com", "grace_seconds": 0, "store": "versions"})

    status, refresh, doctor = cli("status"), cli("refresh", "--force"), cli("doctor")

    assert (2, 1, 1) == (status.code, refresh.code, doctor.code)
    assert "every run fails: the tokens belong to api.example.com, and the settings name 127.0.0.1" in status.screen
    assert "fails: TOKEN_ENDPOINT does not fit the stored tokens" in status.screen
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in status.screen
    assert "skipped token endpoint: not asked" in doctor.screen
    assert [] == endpoint.requests


def test_claims_in_another_store(cli: Cli, tokens: Tokens) -> None:
    """Claims in the other store are broken with these settings, and the command that moves them is printed."""
    tokens.store(tokenRefresh={"host": "127.0.0.1", "grace_seconds": 0, "store": "table"})

    ended = cli("status")
    checked = cli("doctor")

    assert 2 == ended.code
    assert "a run with these settings fails: the claims are in a table, and CLAIM_TABLE is not set" in ended.screen
    assert f"token-refresh status {SECRET_ID} --function FUNCTION --region eu-central-1" in ended.screen
    assert f"claims move {SECRET_ID} --to versions --table NAME --region eu-central-1" in ended.screen
    assert "the tokens belong to" not in checked.screen


def test_a_used_token(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A refresh token whose tokens are gone is broken: only a new authorization helps."""
    tokens.store(expires_in=DAY)
    first = tokens.current()
    cli("refresh", "--force")
    cli("refresh", "--force")
    lose_received_tokens(store)
    tokens.put(first)

    ended = cli("status")

    assert 2 == ended.code
    assert "the tokens that it brought are gone" in ended.screen
    assert "next run sends nothing: the refresh token was used at" in ended.screen


def test_a_lifetime_that_is_too_short(cli: Cli, tokens: Tokens) -> None:
    """Tokens that take more claims than a day has are reported before runs wait, with the way out."""
    now = datetime.now(UTC).timestamp() * 1000
    tokens.store(issuedAt=int(now), expiresAt=int(now + 1_800_000))

    ended = cli("status")

    assert 1 == ended.code
    assert f"token-refresh claims move {SECRET_ID} --to table --table NAME --region eu-central-1" in ended.screen


def test_reserved_claims(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """The thirteenth forced refresh of a day asks, since it takes a claim that is reserved for scheduled runs."""
    tokens.store(expires_in=DAY)
    for _ in range(12):
        assert 0 == cli("refresh", "--force").code
        store.clock_offset_seconds += 2

    asked, forced = cli("refresh", "--force", stdin="n\n"), cli("refresh", "--force", "--yes")

    assert 1 == asked.code
    assert "12 refreshes were forced in the last 24 hours" in asked.screen
    assert "(12 of 40 are used). Go on?" in asked.screen
    assert 0 == forced.code
    assert 13 == endpoint.grant.redemptions


def test_would_recover(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A dry run says what the real one does: it recovers."""
    tokens.store(expires_in=7 * HOUR)
    store.fault("deny", "UpdateSecretVersionStage")
    cli("refresh")

    assert "would_recover" == cli("refresh", "--dry-run", "--json").json["outcome"]
    assert "recovered" == cli("refresh", "--json").json["outcome"]


def test_a_rejected_token_is_tried_again(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Status says when a run tries a rejected token again, and what to do if the client was wrong."""
    tokens.store()
    endpoint.play(script.error("invalid_grant", http_status=400), script.error("invalid_grant", http_status=400))
    cli("refresh")

    ended, fields = cli("status"), cli("status", "--json").json

    assert 2 == ended.code
    assert f"token-refresh refresh {SECRET_ID} --force --region eu-central-1" in ended.screen
    assert fields["retry_at"] is not None


@pytest.fixture
def table(environment: dict[str, str]) -> Any:
    with DynamoDbServer() as server:
        server.create_table("claims", key="secret_arn")
        environment |= {"AWS_ENDPOINT_URL_DYNAMODB": server.url, "CLAIM_TABLE": "claims"}
        yield server


def test_with_a_table(cli: Cli, tokens: Tokens, table: DynamoDbServer) -> None:
    """With claims in a table every command works the same, and an unreadable item is no obstacle to looking back."""
    first = tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    assert "in table claims; 1 of 80 in 24 h" in cli("status").screen
    found = {v["version_id"]: v["fate"] for v in cli("history", "--json").json["versions"]}
    assert "redeemed" == found[first]
    (item,) = table.tables["claims"].values()
    item["claim"] = {"S": "garbage"}
    assert 0 == cli("history").code
    assert "is unreadable" in cli("status").screen
