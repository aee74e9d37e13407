"""`doctor` and the messages: what can't be checked is said to be unknown, and never to be fine."""

import json
from pathlib import Path

import pytest

from builders import DAY
from cli.aws import Aws
from cli.scene import Cli, Tokens, grades
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.cli.authorize.client import read_client_file


def test_credentials_that_aws_does_not_know(cli: Cli, tokens: Tokens, environment: dict[str, str]) -> None:
    """Credentials that AWS rejects fail; a service that can't be reached says nothing about them."""
    tokens.store(expires_in=DAY)
    with Aws() as aws:
        aws.sts_error = "InvalidClientTokenId"
        environment["AWS_ENDPOINT_URL"] = f"http://{aws.address}"
        rejected = cli("doctor", "--json")
        aws.sts_error = None
        unclear = cli("doctor", "--json")

    assert ("failed", "skipped") == (grades(rejected)["credentials"], grades(unclear)["credentials"])


@pytest.mark.parametrize(
    ("reported", "denied", "grade", "told"),
    [
        ("short", "", "skipped", "needs at least 8 characters"),
        ("00000000", "ListSecretVersionIds", "skipped", "not known (AccessDeniedException)"),
        ("00000000", "", "failed", "this secret has no version 00000000"),
    ],
)
def test_a_consumer_that_can_not_be_judged(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, reported: str, denied: str, grade: str, told: str
) -> None:
    """The first characters of a version ID suffice; too few, or a listing that is denied, is no verdict."""
    tokens.store(expires_in=DAY)
    if denied:
        store.fault("deny", denied, times=None)

    ended = cli("doctor", "--json", f"--consumer-version={reported}")

    assert grade == grades(ended)["consumers"]
    assert told in ended.screen


def test_the_first_characters_of_the_current_version(cli: Cli, tokens: Tokens) -> None:
    """The short form that `status` prints is enough, for the current version and for an older one."""
    old = tokens.store(expires_in=DAY)
    new = tokens.store(expires_in=DAY)
    for _ in range(60):
        tokens.store(expires_in=DAY)
    current = tokens.store(expires_in=DAY)

    assert "ok" == grades(cli("doctor", "--json", f"--consumer-version={current[:8]}"))["consumers"]
    assert "stored at" in cli("doctor", f"--consumer-version={new[:8]}").screen
    assert "no version" not in cli("doctor", f"--consumer-version={old[:8]}").screen


def test_a_missing_arn_is_not_looked_for_in_other_regions(cli: Cli, tokens: Tokens) -> None:
    """An ARN names its region itself."""
    del tokens
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf"

    ended = cli("status", arn)

    assert 3 == ended.code
    assert "exists in" not in ended.screen


def test_a_published_copy_is_no_broken_token_set(cli: Cli, tokens: Tokens) -> None:
    """The published copy has no refresh token; it says what it is, and where to look instead."""
    tokens.put({"accessToken": "a", "expiresAt": 4_000_000_000_000, "sourceVersionId": "v"})

    ended = cli("status")

    assert "is the published copy for consumers" in ended.screen
    assert "token-refresh authorize" not in ended.screen


def test_an_unknown_profile(cli: Cli) -> None:
    """A profile that does not exist is named."""
    ended = cli("status", "--profile=nope")

    assert 3 == ended.code
    assert "there is no AWS profile nope" in ended.screen


def test_a_malformed_region(cli: Cli) -> None:
    """A region that can't be one is reported as AWS configuration."""
    ended = cli("status", "--region=not a region")

    assert 3 == ended.code
    assert "the AWS configuration can't be used (InvalidRegionError)" in ended.screen


def test_restore_of_a_version_without_tokens(cli: Cli, tokens: Tokens) -> None:
    """A version that holds no token set is not restored."""
    other = tokens.put("garbage")
    tokens.store(expires_in=DAY)

    ended = cli("restore", f"--version={other}")

    assert 1 == ended.code
    assert f"version {other} holds no token set" in ended.screen


def test_a_client_file_in_snake_case(tmp_path: Path) -> None:
    """Both spellings of a client file are read."""
    path = tmp_path / "client.json"
    path.write_text(json.dumps({"client_id": "me", "client_secret": "hush"}))
    path.chmod(0o600)

    assert "me" == read_client_file(path).client_id
