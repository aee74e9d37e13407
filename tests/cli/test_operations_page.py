"""docs/operations.md: each command runs as it is printed, in a fresh shell, in the order of the page."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from cli.api import Api
from cli.aws import Aws
from cli.shell import Shell
from testbed.aws_lambda.function import Function
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SECRET = "upwork-oauth-tokens"


def console_lines() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def shell(
    store: SecretsManagerServer, provider: AuthorizationServer, environment: dict[str, str], tmp_path: Path
) -> Iterator[Shell]:
    settings = {"PROVIDER": "upwork", "TOKEN_ENDPOINT": provider.token_endpoint, "TOKEN_SECRET_ID": SECRET}
    environment |= {**settings, "AUTHORIZATION_ENDPOINT": provider.authorization_endpoint}
    del environment["TOKEN_SECRET_ID"]
    client_id, client_secret = provider.client()
    (tmp_path / "client.json").write_text(json.dumps({"clientId": client_id, "clientSecret": client_secret}))
    with Aws() as aws, Api() as api, DynamoDbServer() as table, Function({**store.environment, **settings}) as function:
        table.create_table("claims", key="secret_arn")
        environment |= {"AWS_ENDPOINT_URL_DYNAMODB": table.url, "CLAIM_TABLE_NAME": "claims"}
        aws.deployed = function
        aws.function |= {
            "FunctionName": "token-refresh-prod",
            "LastModified": "2026-11-24T12:00:00.000+0000",
            "Environment": {"Variables": settings},
        }
        environment |= {"AWS_ENDPOINT_URL": f"http://{aws.address}", "API_URL": api.url}
        yield Shell(environment, tmp_path)


def test_every_command(shell: Shell) -> None:
    """Every command of the page ends with exit status 0 where nothing is wrong, and prints no secret."""
    secret = json.loads((shell.folder / "client.json").read_text())["clientSecret"]
    lines = console_lines()

    for line in lines:
        ended = shell.run(line)
        assert 0 == ended.code, f"{line}\n{ended.out}\n{ended.err}"
        assert secret not in ended.out + ended.err

    commands = {shlex.split(line)[1] for line in lines if line.startswith("token-refresh")}
    assert set(typer.main.get_command(app).commands) - {"providers", "fleet"} == commands  # type: ignore[attr-defined]  # a group


def test_every_option() -> None:
    """Every option that the page names exists."""
    group = typer.main.get_command(app)
    known = {
        option
        for outer in group.commands.values()  # type: ignore[attr-defined]  # a group
        for command in getattr(outer, "commands", {"": outer}).values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }

    named = set(re.findall(r"(?<=[`\s])--[a-z][a-z-]*", re.sub(r"scripts/deploy \S+ --\w+", "", PAGE)))

    others = {"--pause", "--resume", "--from", "--help"}  # of scripts/deploy and uvx, and of every command
    assert set() == named - known - others
