"""`--function`: a command acts with the deployed function's settings, and says which are missing here."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY
from testbed.dynamodb.server import DynamoDbServer


@pytest.fixture
def aws(environment: dict[str, str]) -> Any:
    with Aws() as server:
        environment["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{server.address}"
        yield server


@pytest.fixture
def table() -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as server:
        server.create_table("claims", key="secret_arn")
        yield server


CLIENT = {"UPWORK_CLIENT_ID": "me", "UPWORK_CLIENT_SECRET": "hush"}


def deployed(**variables: str) -> dict[str, Any]:
    return {"FunctionName": "worker", "Environment": {"Variables": variables}}


def test_settings_of_the_function(cli: Cli, tokens: Tokens, aws: Aws, environment: dict[str, str]) -> None:
    """With --function its settings apply to any command, and not what is set here."""
    tokens.store(expires_in=DAY)
    aws.function = deployed(TOKEN_SECRET_ID=SECRET_ID, TOKEN_ENDPOINT=environment["TOKEN_ENDPOINT"], PROVIDER="upwork")
    environment |= {"TOKEN_SECRET_ID": "other", "PUBLISHED_SECRET_ID": "none"}

    followed, doctor = cli("status", "--function=worker"), cli("doctor", "--function=worker")

    assert (0, "") == (followed.code, followed.err)
    assert SECRET_ID in followed.screen
    assert "PUBLISHED_SECRET_ID is not set there and none here" in doctor.screen


def test_a_function_that_names_no_secret(cli: Cli, tokens: Tokens, aws: Aws, environment: dict[str, str]) -> None:
    """A fleet's function serves many secrets: the one that is named here stays."""
    tokens.store(expires_in=DAY)
    aws.function = deployed(TOKEN_ENDPOINT=environment["TOKEN_ENDPOINT"], PROVIDER="upwork")

    ended = cli("status", "--function=worker", TOKEN_SECRET_ID="other")

    assert "secret other does not exist in eu-central-1" in ended.screen


def test_an_option_against_the_function(cli: Cli, tokens: Tokens, aws: Aws) -> None:
    """An option that contradicts the function is an error that names both; the ARN of the same secret is accepted."""
    tokens.store(expires_in=DAY)
    aws.function = deployed(TOKEN_SECRET_ID=SECRET_ID, PROVIDER="upwork")
    arn = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{SECRET_ID}-AbCdEf"

    ended = cli("status", "other", "--function=worker")
    same = cli("refresh", arn, "--function=worker", "--dry-run")

    assert 3 == ended.code
    assert f"function worker has TOKEN_SECRET_ID={SECRET_ID}, and you gave other" in ended.screen
    assert "and you gave" not in same.screen


def test_no_such_function(cli: Cli, aws: Aws) -> None:
    """A function that can't be read is named, with the action."""
    del aws

    ended = cli("status", "--function=nope")

    assert 3 == ended.code
    assert "lambda:GetFunctionConfiguration on function nope in eu-central-1 was denied" in ended.screen


@pytest.mark.parametrize("name", ["status", "authorize", "refresh", "doctor", "history"])
def test_a_short_lifetime_names_the_command_with_the_function_s_settings(cli: Cli, tokens: Tokens, name: str) -> None:
    """Tokens of 30 minutes need a claim table; what to deploy is said, and the whole command with its settings."""
    tokens.store(provider="xero")

    ended = cli(name, "--provider=xero")

    assert 'the deployment\'s file and deploy: claim_table = "create"; then act with its settings' in ended.screen
    command = f"token-refresh {name} {SECRET_ID} --function NAME --region eu-central-1 --provider xero"
    assert command in ended.screen


def test_a_short_lifetime_fits_the_function_s_table(
    cli: Cli, tokens: Tokens, aws: Aws, environment: dict[str, str], table: DynamoDbServer
) -> None:
    """With the function's settings, or with the table named, the same command works on; a fleet's table is known."""
    tokens.store(provider="xero")
    environment |= table.environment
    aws.function = deployed(TOKEN_SECRET_ID=SECRET_ID, PROVIDER="xero", CLAIM_TABLE="claims")

    for ended in (
        cli("status", "--function=worker"),
        cli("status", "--provider=xero", CLAIM_TABLE="claims"),
        cli("authorize", "--provider=xero", "--fleet=acme", "--paste", "--yes", **CLIENT),
    ):
        assert "fit the claim store" not in ended.screen


def test_claims_move_out_of_a_store_that_tokens_do_not_fit(
    cli: Cli, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that is the way out of a claim store too small for the tokens works on them."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0)  # there is no table
    tokens.store(provider="xero")

    ended = cli("claims", "move", "--provider=xero", "--to=table", "--table=claims")

    assert "fit the claim store" not in ended.screen


def test_a_function_whose_tokens_live_too_short(cli: Cli, tokens: Tokens, aws: Aws) -> None:
    """With the function's own settings the message names the way out, and not `--function` again."""
    tokens.store(expires_in=DAY)
    aws.function = deployed(TOKEN_SECRET_ID=SECRET_ID, PROVIDER="xero")

    ended = cli("status", "--function=worker")

    assert 0 != ended.code
    assert "xero" in ended.screen
    assert "--function NAME" not in ended.screen


def test_a_function_that_does_not_name_the_table(
    cli: Cli, tokens: Tokens, aws: Aws, environment: dict[str, str]
) -> None:
    """The deployed function's settings don't fit the tokens: the message says to deploy it with the table."""
    host = urlsplit(environment["TOKEN_ENDPOINT"]).hostname
    tokens.store(tokenRefresh={"host": host, "grace_seconds": 0, "store": "table", "table": "claims"})
    aws.function = deployed(TOKEN_SECRET_ID=SECRET_ID, PROVIDER="upwork", TOKEN_ENDPOINT=environment["TOKEN_ENDPOINT"])

    ended = cli("status", "--function=worker")

    assert 2 == ended.code
    assert "set claim_table in the function's deployment, and deploy" in ended.screen
