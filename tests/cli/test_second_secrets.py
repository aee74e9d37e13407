"""CLIENT_SECRET_ID and PUBLISHED_SECRET_ID: an error names the second secret by its setting, and no other."""

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import HOUR
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("CLIENT_SECRET_ID", "refresh"),
        ("CLIENT_SECRET_ID", "doctor"),
        ("CLIENT_SECRET_ID", "authorize"),
        ("PUBLISHED_SECRET_ID", "refresh"),
        ("PUBLISHED_SECRET_ID", "doctor"),
        ("PUBLISHED_SECRET_ID", "status"),
    ],
)
def test_a_missing_second_secret(cli: Cli, tokens: Tokens, setting: str, command: str) -> None:
    """It is named with its own setting; no command advises to authorize or refresh into it."""
    tokens.store(expires_in=7.9 * HOUR)  # due, and not overdue

    ended = cli(command, **{setting: "missing"})

    assert 2 == ended.code or command != "refresh"
    assert "secret missing in eu-central-1 was not found" in ended.screen
    assert f"check {setting} and the region" in ended.screen
    for misleading in (
        *("TOKEN_SECRET_ID", "token-refresh authorize missing", "token-refresh refresh upwork-oauth-tokens --region"),
        *("older version", "--client-id"),
    ):
        assert misleading not in ended.screen


@pytest.mark.parametrize("value", ["", "garbage"])
def test_an_unusable_client_secret(cli: Cli, tokens: Tokens, store: SecretsManagerServer, value: str) -> None:
    """Client credentials that are empty or garbage are named, and the good token set is not called so."""
    tokens.store(expires_in=7 * HOUR)
    store.client().create_secret(Name="client", **({"SecretString": value} if value else {}))

    ended = cli("refresh", CLIENT_SECRET_ID="client")

    assert 2 == ended.code
    assert "secret client (CLIENT_SECRET_ID)" in ended.screen
    assert f"secret {SECRET_ID} in" not in ended.screen


def test_a_client_secret_that_doctor_can_not_use(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """`doctor` advises to store credentials in the client secret, and not `authorize`, which takes a consent."""
    tokens.store(expires_in=7 * HOUR)
    store.client().create_secret(Name="client", SecretString="garbage")

    (found,) = [
        c
        for c in cli("doctor", "--json", CLIENT_SECRET_ID="client").json["checks"]
        if c["name"] == "client credentials"
    ]

    assert "failed" == found["grade"]
    assert found["remedy"].startswith(f"store them, which takes no consent: `token-refresh client {SECRET_ID} --region")
