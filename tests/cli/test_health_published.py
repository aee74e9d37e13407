"""The published copy, which is all that services read: what of it `status` finds, and how bad it is."""

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY, HOUR
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.fixture(autouse=True)
def published(cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str]) -> None:
    """A fresh token set, and its copy."""
    environment["PUBLISHED_SECRET_ID"] = "published"
    store.client().create_secret(Name="published")
    tokens.store(expires_in=DAY)
    cli("refresh")


def replace(tokens: Tokens, store: SecretsManagerServer, *, seconds_ago: int) -> None:
    """Store another token set, as `authorize` does, and let time pass without a run."""
    tokens.store(expires_in=2 * DAY)
    store.clock_offset_seconds += seconds_ago


def test_the_current_version(cli: Cli) -> None:
    """A copy of the current version is healthy."""
    ended = cli("status")

    assert (0, True) == (ended.code, "published: the current version" in ended.screen)


@pytest.mark.parametrize(("seconds", "code"), [(2300, 1), (2500, 2)])
def test_behind(cli: Cli, tokens: Tokens, store: SecretsManagerServer, seconds: int, code: int) -> None:
    """A copy of an older version needs attention, and after one period it is broken: no run updates it."""
    replace(tokens, store, seconds_ago=seconds)

    ended = cli("status")

    assert code == ended.code
    assert "the published copy published is of an older version" in ended.screen
    if code > 1:
        assert "for 41 min, and a run comes every 40 min" in ended.screen
        assert f"token-refresh doctor {SECRET_ID} --function NAME --region eu-central-1" in ended.screen
    assert 0 == cli("refresh").code
    assert 0 == cli("status").code


def test_expired(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A copy whose access token has expired is broken, whatever the token secret holds."""
    del tokens
    store.client().put_secret_value(
        SecretId="published", SecretString='{"accessToken": "old", "expiresAt": 1700000000000}'
    )

    ended = cli("status")

    assert 2 == ended.code
    assert "is of an older version, and its access token expired" in ended.screen


@pytest.mark.parametrize("value", ["garbage", '{"expiresAt": "never"}'])
def test_an_overwritten_copy(cli: Cli, tokens: Tokens, store: SecretsManagerServer, value: str) -> None:
    """A copy that somebody has overwritten is of no current version: attention, until the next run."""
    del tokens
    store.client().put_secret_value(SecretId="published", SecretString=value)

    assert 1 == cli("status").code


def test_a_provider_that_ends_old_tokens(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Where a refresh ends the access token before, a copy that does not follow is broken at once."""
    replace(tokens, store, seconds_ago=600)

    ended = cli("status", PROVIDER="airtable")

    assert 2 == ended.code
    assert "and the refresh ended its access token" in ended.screen


def test_marked_for_deletion(cli: Cli, store: SecretsManagerServer) -> None:
    """A published secret that is marked for deletion is broken, seen without the right to `DescribeSecret`."""
    store.client().delete_secret(SecretId="published")
    store.fault("deny", "DescribeSecret", times=None)

    ended = cli("status")

    assert 2 == ended.code
    assert "services can't read the published copy: secret published" in ended.screen
    assert "aws secretsmanager restore-secret --secret-id published --region eu-central-1" in ended.screen


def test_denied(cli: Cli, store: SecretsManagerServer) -> None:
    """A copy that this caller may not read is not known to be healthy, nor to be broken."""
    store.fault("deny", "GetSecretValue", nth=2)  # After the token secret, whose document says whose tokens these are.

    assert 1 == cli("status").code


def test_tokens_that_nobody_published(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """An empty published secret is broken once a run should have filled it."""
    del tokens
    store.client().create_secret(Name="empty")
    store.clock_offset_seconds += int(HOUR.total_seconds())

    assert 2 == cli("status", PUBLISHED_SECRET_ID="empty").code
