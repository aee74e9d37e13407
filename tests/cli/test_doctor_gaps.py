"""`doctor` and the messages: what can't be checked is said to be unknown, and never to be fine."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from builders import DAY, HOUR
from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.cli.authorize.client import read_client_file
from token_refresh_worker.cli.console.failures import CommandFailed


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
    ("reported", "denied", "grade", "printed"),
    [
        ("short", "", "skipped", "needs at least 8 characters"),
        ("00000000", "ListSecretVersionIds", "skipped", "not known (AccessDeniedException)"),
        ("00000000", "", "failed", "this secret has no version 00000000"),
    ],
)
def test_a_consumer_that_can_not_be_judged(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, reported: str, denied: str, grade: str, printed: str
) -> None:
    """The first characters of a version ID suffice; too few, or a listing that is denied, is no verdict."""
    tokens.store(expires_in=DAY)
    if denied:
        store.fault("deny", denied, times=None)

    ended = cli("doctor", "--json", f"--consumer-version={reported}")

    assert grade == grades(ended)["consumers"]
    assert printed in ended.screen


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
    assert "the AWS configuration can't be used (a region or an endpoint URL is malformed)" in ended.screen


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


def test_a_client_file_that_is_no_text(tmp_path: Path) -> None:
    """A file of another encoding is named, without its content."""
    path = tmp_path / "client.json"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)

    with pytest.raises(CommandFailed, match="is not text in UTF-8"):
        read_client_file(path)


def test_a_function_that_can_not_be_read(cli: Cli, tokens: Tokens, environment: dict[str, str]) -> None:
    """A permission that is missing is not said to be a function that is missing."""
    tokens.store(expires_in=DAY)
    with Aws() as aws:
        environment["AWS_ENDPOINT_URL"] = f"http://{aws.address}"
        ended = cli("doctor", "--function=another", TOKEN_ENDPOINT="http://127.0.0.1:9/t")

    assert (
        "FAILED function: lambda:GetFunctionConfiguration on function another in eu-central-1 was denied"
        in ended.screen
    )


def test_a_deployed_function_whose_tokens_live_too_short(cli: Cli, tokens: Tokens, environment: dict[str, str]) -> None:
    """With the function's own settings the message names the way out, and not `--function` again."""
    tokens.store(expires_in=DAY)
    with Aws() as aws:
        aws.function |= {"Environment": {"Variables": {"TOKEN_SECRET_ID": SECRET_ID, "PROVIDER": "xero"}}}
        environment["AWS_ENDPOINT_URL"] = f"http://{aws.address}"
        ended = cli("status", "--function=worker")

    assert 0 != ended.code
    assert "xero" in ended.screen
    assert "--function NAME" not in ended.screen


def test_claims_in_a_table_that_the_function_does_not_name(
    cli: Cli, tokens: Tokens, environment: dict[str, str]
) -> None:
    """The deployed function's settings don't fit the tokens: the message says to deploy it with the table."""
    host = urlsplit(environment["TOKEN_ENDPOINT"]).hostname
    tokens.store(tokenRefresh={"host": host, "grace_seconds": 0, "store": "table"})
    variables = {"TOKEN_SECRET_ID": SECRET_ID, "PROVIDER": "upwork", "TOKEN_ENDPOINT": environment["TOKEN_ENDPOINT"]}
    with Aws() as aws:
        aws.function |= {"Environment": {"Variables": variables}}
        environment["AWS_ENDPOINT_URL"] = f"http://{aws.address}"
        ended = cli("status", "--function=worker")

    assert 2 == ended.code
    assert "set claim_table in the function's deployment, and deploy" in ended.screen


def test_client_credentials_that_work(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A provider of `client_credentials` has no made-up refresh token to reject: tokens are what it should give."""
    tokens.store(expires_in=DAY)
    endpoint.play(script.status(200, {"access_token": "a", "expires_in": 3600}))

    ended = cli("doctor", "--json", PROVIDER="paypal")

    assert "ok" == grades(ended)["token endpoint"]


def test_attempts_on_a_narrow_terminal(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """On 40 columns the attempts have their age and their result."""
    tokens.store(expires_in=7 * HOUR)
    endpoint.play(script.error("invalid_client", http_status=401))
    cli("refresh")

    ended = cli("status", COLUMNS="40")

    assert "failed: not redeemed" in ended.screen
    assert "claimed" not in ended.screen
