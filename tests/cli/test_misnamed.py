"""Errors name the setting or the secret that is wrong, and no other."""

import pytest

from builders import HOUR
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.mark.parametrize("setting", ["CLIENT_SECRET_ID", "PUBLISHED_SECRET_ID"])
def test_a_missing_second_secret(cli: Cli, tokens: Tokens, setting: str) -> None:
    """A second secret that is missing is named with its own setting, and not with that of the token secret."""
    tokens.store(expires_in=7 * HOUR)

    ended = cli("refresh", **{setting: "missing"})

    assert 1 == ended.code
    assert "secret missing in eu-central-1 was not found" in ended.screen
    assert f"check {setting} and the region" in ended.screen
    assert "TOKEN_SECRET_ID" not in ended.screen
    assert "token-refresh authorize" not in ended.screen


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("CLIENT_SECRET_ID", "doctor"),
        ("CLIENT_SECRET_ID", "authorize"),
        ("PUBLISHED_SECRET_ID", "doctor"),
        ("PUBLISHED_SECRET_ID", "status"),
    ],
)
def test_a_missing_second_secret_is_not_for_tokens(cli: Cli, tokens: Tokens, setting: str, command: str) -> None:
    """No command advises to authorize into a second secret that is missing, or to refresh into it."""
    tokens.store(expires_in=20 * HOUR)

    ended = cli(command, **{setting: "missing"})

    assert "secret missing in eu-central-1 was not found" in ended.screen
    assert f"check {setting} and the region" in ended.screen
    assert "token-refresh authorize missing" not in ended.screen
    assert "token-refresh refresh upwork-oauth-tokens --region" not in ended.screen
    assert "older version" not in ended.screen
    assert "--client-id" not in ended.screen


@pytest.mark.parametrize("value", ["", "garbage"])
def test_an_unusable_client_secret(cli: Cli, tokens: Tokens, store: SecretsManagerServer, value: str) -> None:
    """Client credentials that are empty or garbage are named, and the good token set is not called so."""
    tokens.store(expires_in=7 * HOUR)
    store.client().create_secret(Name="client", **({"SecretString": value} if value else {}))

    ended = cli("refresh", CLIENT_SECRET_ID="client")

    assert 1 == ended.code
    assert "secret client (CLIENT_SECRET_ID)" in ended.screen
    assert f"secret {SECRET_ID} in" not in ended.screen


def test_a_client_secret_that_doctor_can_not_use(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """`doctor` advises to correct the client secret, not `authorize`, which stores credentials beside the tokens."""
    tokens.store(expires_in=7 * HOUR)
    store.client().create_secret(Name="client", SecretString="garbage")

    (found,) = [
        c
        for c in cli("doctor", "--json", CLIENT_SECRET_ID="client").json["checks"]
        if c["name"] == "client credentials"
    ]

    assert ("failed", "correct that secret") == (found["grade"], found["remedy"])
