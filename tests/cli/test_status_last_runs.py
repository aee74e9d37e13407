"""`status`: what the last runs left, from a refresh that went well to a claim of a run that died."""

from builders import HOUR
from cli.scene import Cli, Tokens, claim
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def test_refreshed(cli: Cli, tokens: Tokens) -> None:
    """It lists what the last runs did, from the versions that they left."""
    tokens.store()
    cli("refresh")

    ended = cli("status")

    assert 0 == ended.code
    assert "Last attempts to refresh" in ended.screen
    assert " 1 refreshed " in ended.screen


def test_rejected(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A rejected grant is broken although the access token still works, and the remedy is to authorize again."""
    tokens.store()
    endpoint.grant.revoke()
    cli("refresh")

    ended = cli("status")

    assert 2 == ended.code
    assert "the provider rejected the refresh token at" in ended.screen
    assert "authorize again: token-refresh authorize upwork-oauth-tokens --region eu-central-1" in ended.screen
    assert "rejected (invalid_grant)" in ended.screen


def test_held(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Where nobody knows whether a single-use refresh token was redeemed, it says so, since when and until when."""
    tokens.store(expires_in=7 * HOUR)
    endpoint.play(script.status(500))
    cli("refresh", REPLAY_GRACE_SECONDS="0")

    ended = cli("status", REPLAY_GRACE_SECONDS="0")

    assert 1 == ended.code
    assert "the refresh token may have been redeemed" in ended.screen
    assert "sends nothing until" in ended.screen
    assert "token-refresh refresh upwork-oauth-tokens --force" in ended.screen
    assert "no response" in ended.screen


def test_failed(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """A failed attempt needs attention, with the provider's error code; the second makes the next one wait."""
    tokens.store(expires_in=7 * HOUR)
    for _ in range(2):
        endpoint.play(script.error("invalid_client", http_status=401))
        cli("refresh")
        store.clock_offset_seconds += 2  # The service tells the time in whole seconds.

    ended = cli("status")
    fields = cli("status", "--json").json

    assert 1 == ended.code
    assert "failed: not redeemed (invalid_client)" in ended.screen
    assert "the backoff after a failed attempt is not over" in ended.screen
    assert "wait" == fields["next_step"]
    assert ["not_redeemed", "not_redeemed"] == [attempt["result"] for attempt in fields["attempts"]]
    assert fields["retry_at"] is not None


def test_interrupted(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Tokens that a run received and could not make current are listed, and the next run makes them so."""
    tokens.store(expires_in=7 * HOUR)
    store.fault("deny", "UpdateSecretVersionStage")
    assert 1 == cli("refresh").code

    ended = cli("status")

    assert 1 == ended.code
    assert "a run was interrupted after it received tokens" in ended.screen
    assert "1 staged" in ended.screen, "and not refreshed"
    assert "recovered" == cli("refresh", "--json").json["outcome"]


def test_live_claim(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """While a run holds the claim, nothing is wrong."""
    claim(store, tokens.store(expires_in=7 * HOUR))

    ended = cli("status")

    assert 0 == ended.code
    assert "another run holds the claim" in ended.screen
    assert "in progress" in ended.screen


def test_dead_claim(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A run that died under its claim leaves an attempt of unknown result."""
    claim(store, tokens.store(expires_in=7 * HOUR))
    store.clock_offset_seconds = 330

    ended = cli("status")

    assert 1 == ended.code
    assert "5 min ago 1 no result: the run died" in ended.screen


def test_published(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A published copy that lags behind is a warning, until a run has brought it up to date."""
    tokens.store(expires_in=20 * HOUR)
    store.client().create_secret(Name="published")

    before = cli("status", PUBLISHED_SECRET_ID="published")
    cli("refresh", PUBLISHED_SECRET_ID="published")
    after = cli("status", PUBLISHED_SECRET_ID="published")

    assert (1, 0) == (before.code, after.code)
    assert "published: an older version" in before.screen
    assert "published: the current version" in after.screen
    assert {"secret_id": "published", "lags": False} == cli("status", "--json", PUBLISHED_SECRET_ID="published").json[
        "published"
    ]
