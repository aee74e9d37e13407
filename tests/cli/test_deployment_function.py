"""What only the deployed function says of a secret, such as its provider, where the tags prove which one it is."""

import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY, HOUR
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.deployment import find_deployment
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, Made

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/worker/1"


@pytest.fixture
def aws(environment: dict[str, str], store: SecretsManagerServer, tokens: Tokens) -> Iterator[Aws]:
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


def test_the_client_secret(cli: Cli, store: SecretsManagerServer, aws: Aws) -> None:
    """An alarm's plain `status` finds the client secret that the function reads, and that it is deleted."""
    del aws
    healthy = cli("status")
    store.client().delete_secret(SecretId="client")
    broken = cli("status")

    assert (0, 2) == (healthy.code, broken.code)
    assert "client in secret client" in healthy.screen
    assert "secret client in eu-central-1 is marked for deletion" in broken.screen


def test_the_period(cli: Cli, aws: Aws, store: SecretsManagerServer) -> None:
    """A refresh is late by the function's own schedule."""
    del aws
    store.clock_offset_seconds = int((17 * HOUR).total_seconds())
    in_time = cli("status")
    store.clock_offset_seconds += 6000
    late = cli("status")

    assert (0, 1) == (in_time.code, late.code)
    assert "a run comes every 2 h 30 min" in late.screen


def at_its_own_provider(aws: Aws, endpoint: TokenEndpoint) -> None:
    """Have the function use a provider that nothing else names."""
    aws.function["Environment"]["Variables"] |= {"PROVIDER": "generic", "TOKEN_ENDPOINT": endpoint.url}


def test_the_provider(cli: Cli, aws: Aws, endpoint: TokenEndpoint, tokens: Tokens, environment: dict[str, str]) -> None:
    """The provider is the function's: a plain `status` calls its grant healthy."""
    del environment["PROVIDER"], environment["TOKEN_ENDPOINT"]
    at_its_own_provider(aws, endpoint)
    stored = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions"}
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None, tokenRefresh=stored)
    status = cli("status")

    assert (0, True) == (status.code, "HEALTHY" in status.screen), status.screen


def test_a_provider_that_was_given(aws: Aws, endpoint: TokenEndpoint, environment: dict[str, str]) -> None:
    """Whoever names a provider, or an endpoint, gets nothing of the function's provider with it."""
    at_its_own_provider(aws, endpoint)
    aws.function["Environment"]["Variables"] |= {"REPLAY_GRACE_SECONDS": "600", "REFRESH_WINDOW_SECONDS": "7200"}
    taken = {}
    for name in ("PROVIDER", "TOKEN_ENDPOINT"):
        other = {key: value for key, value in environment.items() if key not in {"PROVIDER", "TOKEN_ENDPOINT"}}
        other |= {name: environment[name], "TOKEN_SECRET_ID": SECRET_ID}
        with mock.patch.dict(os.environ, other, clear=True):
            found = find_deployment(Context(environment=other)).environment
        taken[name] = sorted({*found} - {*other})

    assert {name: ["CLIENT_SECRET_ID", "REFRESH_WINDOW_SECONDS", "RUN_PERIOD_SECONDS"] for name in taken} == taken


def test_doctor_checks_the_function(cli: Cli, aws: Aws, store: SecretsManagerServer) -> None:
    """`doctor` needs no name: the tag leads to the function, and no printed command has a placeholder."""
    ended = cli("doctor")
    aws.function["Environment"]["Variables"]["PROVIDER"] = "xreo"
    wrong = cli("doctor")
    store.clock_offset_seconds = int((20 * HOUR).total_seconds())
    late = cli("status")

    assert "ok function: worker, deployed" in ended.screen
    assert "FAILED function's settings: every run fails" in wrong.screen
    assert not [said for said in (ended, wrong, late) if "NAME" in said.screen.replace("scripts/deploy NAME", "")]


def test_doctor_may_not_read_the_function(cli: Cli, aws: Aws) -> None:
    """Where the tag leads to a function that the caller may not read, `doctor` names the permission, and no option."""
    aws.shows_function = False

    ended = cli("doctor")

    assert "function: not read, which takes lambda:GetFunctionConfiguration on worker" in ended.screen
    assert "--function" not in ended.screen


@pytest.mark.parametrize(
    "tags", [{}, {STACK_TAG: f"{STACK}2", LOGICAL_ID_TAG: Made.FUNCTION}, {STACK_TAG: STACK, LOGICAL_ID_TAG: "Api"}]
)
def test_a_function_of_another_stack(cli: Cli, aws: Aws, tags: dict[str, Any]) -> None:
    """A tag is no proof: the settings of another stack's function, or of another function, are not taken."""
    aws.function_tags = tags

    assert "client not looked at without --function" in cli("status").screen
    assert "skipped function: the tag proves no function: deleted, another stack's" in cli("doctor").screen
