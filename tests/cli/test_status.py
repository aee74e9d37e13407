"""`status`: what it says, and its exit status."""

import json
from datetime import timedelta

import pytest

from cli.scene import SECRET_ID, Cli, Tokens, claim
from rig import script
from rig.secrets_manager import SecretsManagerServer
from rig.token_endpoint import TokenEndpoint

HOUR = timedelta(hours=1)


def test_healthy(cli: Cli, tokens: Tokens) -> None:
    """A token set that is not due is healthy, exit status 0, with its version, its expiry and when it is due."""
    version_id = tokens.store(expires_in=20 * HOUR + timedelta(seconds=30))

    ended = cli("status")

    assert 0 == ended.code
    assert f"HEALTHY {SECRET_ID} in eu-central-1 current version {version_id}" in ended.screen
    assert "(in 20 h)" in ended.screen
    assert "(in 12 h)" in ended.screen
    assert "nothing is due" in ended.screen
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_due(cli: Cli, tokens: Tokens) -> None:
    """A token set that is due, and not yet overdue, is healthy: the next run refreshes it."""
    tokens.store(expires_in=7 * HOUR)

    ended = cli("status")

    assert 0 == ended.code
    assert "refreshes: it is due" in ended.screen


def test_overdue(cli: Cli, tokens: Tokens) -> None:
    """Where half of the time in which a refresh is due has passed, no run seems to come: attention, exit status 1."""
    tokens.store(expires_in=3 * HOUR - timedelta(seconds=30))

    ended = cli("status")

    assert 1 == ended.code
    assert "the refresh is overdue: it was due 5 h ago" in ended.screen
    assert "doctor --function" in ended.screen


def test_expired(cli: Cli, tokens: Tokens) -> None:
    """An access token that has expired is broken, exit status 2."""
    tokens.store(expires_in=-HOUR - timedelta(seconds=30))

    ended = cli("status")

    assert 2 == ended.code
    assert "the access token expired 1 h ago" in ended.screen


@pytest.mark.parametrize("missing", ["accessToken", "expiresAt"])
def test_incomplete(cli: Cli, tokens: Tokens, missing: str) -> None:
    """A token set without an access token or an expiry needs attention: the next run gets one."""
    tokens.store()
    tokens.put({name: value for name, value in tokens.current().items() if name != missing})

    ended = cli("status")

    assert 1 == ended.code
    assert "there is no access token, or nothing says when it expires" in ended.screen


def test_not_found(cli: Cli, tokens: Tokens) -> None:
    """A secret that can't be found can't be told: exit status 3, on standard error, with what to do."""
    del tokens

    ended = cli("status")

    assert (3, "") == (ended.code, ended.out)
    assert f"SecretNotFound: secret {SECRET_ID} in eu-central-1 was not found" in ended.screen
    assert "token-refresh authorize" in ended.screen


def test_denied(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A caller who may not read can't tell: exit status 3, and the action that was refused."""
    tokens.store()
    store.fault("deny", "GetSecretValue", times=None)

    ended = cli("status")

    assert 3 == ended.code
    assert "SecretAccessDenied: secretsmanager:GetSecretValue" in ended.screen


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_no_document(cli: Cli, tokens: Tokens, flags: tuple[str, ...]) -> None:
    """A secret without a token document is broken, exit status 2, not unknown."""
    tokens.put({"clientId": "only this"})

    ended = cli("status", *flags)

    assert 2 == ended.code
    assert "InvalidSecretDocument" in ended.screen


def test_empty(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A secret without a value, as it is deployed, is broken until someone authorizes."""
    del tokens
    store.client().create_secret(Name=SECRET_ID)

    ended = cli("status")

    assert 2 == ended.code
    assert "BROKEN SecretEmpty" in ended.screen
    assert "token-refresh authorize" in ended.screen


def test_refreshed(cli: Cli, tokens: Tokens) -> None:
    """What the last runs did is shown, from the versions that they left."""
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
    assert "the provider rejected the grant at" in ended.screen
    assert "authorize again: token-refresh authorize" in ended.screen
    assert "rejected (invalid_grant)" in ended.screen


def test_held(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Where nobody knows whether a single-use refresh token was redeemed, it says so, since when and until when."""
    tokens.store(expires_in=7 * HOUR)
    endpoint.play(script.status(500))
    cli("refresh", REPLAY_GRACE_SECONDS="0")

    ended = cli("status", REPLAY_GRACE_SECONDS="0")

    assert 1 == ended.code
    assert "nobody knows whether the refresh token was redeemed" in ended.screen
    assert "holds until" in ended.screen
    assert "refresh --force" in ended.screen
    assert "unknown" in ended.screen


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
    assert "failed with invalid_client: not redeemed" in ended.screen
    assert "the backoff of a failed attempt is not over" in ended.screen
    assert "wait" == fields["next_step"]
    assert ["not_redeemed", "not_redeemed"] == [attempt["result"] for attempt in fields["attempts"]]
    assert fields["retry_at"] is not None


def test_interrupted(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Tokens that a run received and could not make current are told of, and the next run makes them so."""
    tokens.store(expires_in=7 * HOUR)
    store.fault("deny", "UpdateSecretVersionStage")
    assert 1 == cli("refresh").code

    ended = cli("status")

    assert 1 == ended.code
    assert "a run was interrupted after it received tokens" in ended.screen
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
    assert "5 min ago 1 unknown" in ended.screen


def test_published(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A published copy that lags behind is told of, until a run has brought it up to date."""
    tokens.store(expires_in=20 * HOUR)
    store.client().create_secret(Name="published")

    before = cli("status", PUBLISHED_SECRET_ID="published")
    cli("refresh", PUBLISHED_SECRET_ID="published")
    after = cli("status", PUBLISHED_SECRET_ID="published")

    assert (1, 0) == (before.code, after.code)
    assert "published lags behind" in before.screen
    assert "published shows the current version" in after.screen
    assert {"secret_id": "published", "lags": False} == cli("status", "--json", PUBLISHED_SECRET_ID="published").json[
        "published"
    ]


def test_json(cli: Cli, tokens: Tokens) -> None:
    """Machines get one JSON object with the same exit status, and times in ISO 8601."""
    version_id = tokens.store(expires_in=3 * HOUR)

    ended = cli("status", "--json")

    assert (1, "") == (ended.code, ended.err)
    assert ("attention", version_id, ["AWSCURRENT"]) == tuple(
        ended.json[name] for name in ("health", "version_id", "labels")
    )
    assert "attention" == ended.json["findings"][0]["health"]
    assert 10_700 < ended.json["seconds_to_expiry"] <= 10_801  # the service tells the time in whole seconds
    assert ended.json["due_at"].endswith("Z")


def test_json_unknown(cli: Cli) -> None:
    """For machines, too, what could not be told is exit status 3, with the error by its name."""
    ended = cli("status", "--json")

    assert 3 == ended.code
    assert ("unknown", "SecretNotFound") == (ended.json["health"], ended.json["error_type"])


def test_wrong_setting(cli: Cli) -> None:
    """A wrong setting is named, and is exit status 3."""
    ended = cli("status", CLAIM_TTL_SECONDS="never")

    assert 3 == ended.code
    assert "ConfigurationError: CLAIM_TTL_SECONDS must be a whole number" in ended.screen


def test_secret_of_another_name(cli: Cli, tokens: Tokens) -> None:
    """The secret is named by argument, option or variable, alike."""
    tokens.store(expires_in=20 * HOUR)
    document = json.dumps(tokens.current())
    tokens.put(document)

    assert "other" in cli("status", "other").screen
    assert "other" in cli("status", "--secret-id", "other").screen
    assert "other" in cli("status", TOKEN_SECRET_ID="other").screen
    assert 0 == cli("status", SECRET_ID, "--secret-id", SECRET_ID).code
