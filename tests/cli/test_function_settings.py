"""A command acts with the deployed function's settings: by `--function`, or where the secret's tags prove it."""

import os
from collections.abc import Iterator
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY, HOUR
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.deployment import find_deployment
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, Made


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


def test_one_secret_by_two_names(cli: Cli, tokens: Tokens, aws: Aws, environment: dict[str, str]) -> None:
    """The function may name a secret by its ARN and the shell by its name: that is no difference."""
    tokens.store(expires_in=DAY)
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:copy-AbCdEf"
    settings = {"TOKEN_ENDPOINT": environment["TOKEN_ENDPOINT"], "PROVIDER": "upwork", "TOKEN_SECRET_ID": SECRET_ID}
    aws.function = deployed(**settings, PUBLISHED_SECRET_ID=arn)

    assert "there and" not in cli("doctor", "--function=worker", PUBLISHED_SECRET_ID="copy").screen


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


STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/worker/1"


@pytest.fixture
def tagged(environment: dict[str, str], store: SecretsManagerServer, tokens: Tokens) -> Iterator[Aws]:
    """A deployment whose client secret nobody names but its function."""
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None)
    store.client().create_secret(Name="client", SecretString='{"clientId": "id", "clientSecret": "made-up"}')
    tags = {STACK_TAG: STACK, LOGICAL_ID_TAG: Made.TOKENS, "token-refresh:function": "worker"}
    store.client().tag_resource(SecretId=SECRET_ID, Tags=[{"Key": key, "Value": tags[key]} for key in tags])
    with Aws() as server:
        server.function_tags = {STACK_TAG: STACK, LOGICAL_ID_TAG: Made.FUNCTION}
        variables = {"CLIENT_SECRET_ID": "client", "RUN_PERIOD_SECONDS": "9000", "TOKEN_SECRET_ID": SECRET_ID}
        server.function["Environment"] = {"Variables": variables}
        environment["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{server.address}"
        yield server


def test_the_client_secret(cli: Cli, store: SecretsManagerServer, tagged: Aws) -> None:
    """An alarm's plain `status` finds the client secret that the function reads, and that it is deleted."""
    del tagged
    healthy = cli("status")
    store.client().delete_secret(SecretId="client")
    broken = cli("status")

    assert (0, 2) == (healthy.code, broken.code)
    assert "client in secret client" in healthy.screen
    assert "secret client in eu-central-1 is marked for deletion" in broken.screen


def test_the_period(cli: Cli, tagged: Aws, store: SecretsManagerServer) -> None:
    """A refresh is late by the function's own schedule."""
    del tagged
    store.clock_offset_seconds = int((17 * HOUR).total_seconds())
    in_time = cli("status")
    store.clock_offset_seconds += 6000
    late = cli("status")

    assert (0, 1) == (in_time.code, late.code)
    assert "a run comes every 2 h 30 min" in late.screen


def at_its_own_provider(tagged: Aws, endpoint: TokenEndpoint) -> None:
    """Have the function use a provider that nothing else names."""
    tagged.function["Environment"]["Variables"] |= {"PROVIDER": "generic", "TOKEN_ENDPOINT": endpoint.url}


def test_the_provider(
    cli: Cli, tagged: Aws, endpoint: TokenEndpoint, tokens: Tokens, environment: dict[str, str]
) -> None:
    """The provider is the function's: a plain `status` calls its grant healthy."""
    del environment["PROVIDER"], environment["TOKEN_ENDPOINT"]
    at_its_own_provider(tagged, endpoint)
    stored = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions"}
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None, tokenRefresh=stored)
    status = cli("status")

    assert (0, True) == (status.code, "HEALTHY" in status.screen), status.screen


def test_a_provider_that_was_given(tagged: Aws, endpoint: TokenEndpoint, environment: dict[str, str]) -> None:
    """Whoever names a provider, or an endpoint, gets nothing of the function's provider with it."""
    at_its_own_provider(tagged, endpoint)
    tagged.function["Environment"]["Variables"] |= {"REPLAY_GRACE_SECONDS": "600", "REFRESH_WINDOW_SECONDS": "7200"}
    taken = {}
    for name in ("PROVIDER", "TOKEN_ENDPOINT"):
        other = {key: value for key, value in environment.items() if key not in {"PROVIDER", "TOKEN_ENDPOINT"}}
        other |= {name: environment[name], "TOKEN_SECRET_ID": SECRET_ID}
        with mock.patch.dict(os.environ, other, clear=True):
            found = find_deployment(Context(environment=other)).environment
        taken[name] = sorted({*found} - {*other})

    assert {name: ["CLIENT_SECRET_ID", "REFRESH_WINDOW_SECONDS", "RUN_PERIOD_SECONDS"] for name in taken} == taken


def test_doctor_checks_the_function(cli: Cli, tagged: Aws, store: SecretsManagerServer) -> None:
    """`doctor` needs no name: the tag leads to the function, and no printed command has a placeholder."""
    ended = cli("doctor")
    tagged.function["Environment"]["Variables"]["PROVIDER"] = "xreo"
    wrong = cli("doctor")
    store.clock_offset_seconds = int((20 * HOUR).total_seconds())
    late = cli("status")

    assert "ok function: worker, deployed" in ended.screen
    assert "FAILED function's settings: every run fails" in wrong.screen
    assert not [said for said in (ended, wrong, late) if "NAME" in said.screen.replace("scripts/deploy NAME", "")]


def test_doctor_may_not_read_the_function(cli: Cli, tagged: Aws) -> None:
    """Where the tag leads to a function that the caller may not read, `doctor` names the permission, and no option."""
    tagged.shows_function = False

    ended = cli("doctor")

    assert "function: not read, which takes lambda:GetFunctionConfiguration on worker" in ended.screen
    assert "--function" not in ended.screen


@pytest.mark.parametrize(
    "tags", [{}, {STACK_TAG: f"{STACK}2", LOGICAL_ID_TAG: Made.FUNCTION}, {STACK_TAG: STACK, LOGICAL_ID_TAG: "Api"}]
)
def test_a_function_of_another_stack(cli: Cli, tagged: Aws, tags: dict[str, Any]) -> None:
    """A tag is no proof: the settings of another stack's function, or of another function, are not taken."""
    tagged.function_tags = tags

    assert "client not looked at without --function" in cli("status").screen
    assert "skipped function: the tag proves no function: deleted, another stack's" in cli("doctor").screen
