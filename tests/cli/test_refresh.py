"""`refresh`: the function's run from here, or the deployed function's own."""

import base64
import json
import shlex
from collections.abc import Iterator

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens
from cli.shell import commands_in
from testbed.aws_lambda.function import Function
from testbed.builders import DAY, HOUR
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.cli.refresh import Progress, print_log
from token_refresh_admin.cli.screen import errors


def test_due_fresh_and_forced(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """What is due is refreshed, with progress on standard error; what is fresh, if forced. A dry run sends nothing."""
    before = tokens.store()

    ended, fresh = cli("refresh"), cli("refresh", "--json").json
    dry, forced = cli("refresh", "--force", "--dry-run", "--json").json, cli("refresh", "--force", "--json").json

    assert 0 == ended.code
    assert ended.out.startswith("refreshed\n")
    assert "claimed the right to refresh, attempt 1" in ended.err
    assert "is current" in ended.err
    assert before not in ended.out
    assert ["fresh", "would_refresh", "refreshed"] == [found["outcome"] for found in (fresh, dry, forced)]
    assert fresh["version_id"] == dry["version_id"] in ended.out
    assert [200, 200] == [request.status for request in endpoint.requests]


def test_a_client_that_no_function_has(cli: Cli, tokens: Tokens) -> None:
    """A dry run warns of a client in the operator's environment, and prints the command that stores it."""
    tokens.store(clientId=None, clientSecret=None)
    client = {"UPWORK_CLIENT_ID": "canary-id", "UPWORK_CLIENT_SECRET": "canary-secret"}

    found = cli("refresh", "--dry-run", **client)

    assert (0, "would refresh") == (found.code, found.out.splitlines()[0])
    assert "in your environment alone. A deployed function has none; store them:" in " ".join(found.err.split())
    assert [f"token-refresh client {SECRET_ID} --region eu-central-1"] == commands_in(found)
    assert "canary" not in found.screen
    tokens.store(clientId="id", clientSecret="made-up")
    assert "" == cli("refresh", "--dry-run", **client).err


@pytest.mark.parametrize("client", [{"clientId": None, "clientSecret": None}, {"clientId": "", "clientSecret": ""}])
@pytest.mark.parametrize("is_deployed", [False, True])
def test_a_client_that_is_nowhere(
    cli: Cli, tokens: Tokens, deployed: Aws, client: dict[str, str | None], *, is_deployed: bool
) -> None:
    """A dry run of tokens that are not due yet warns that the first refresh will fail, as one of due tokens does."""
    tokens.store(expires_in=DAY, **client)

    found = cli("refresh", "--dry-run", *(["--function=worker"] if is_deployed else []))

    assert (0, "fresh") == (found.code, found.out.splitlines()[0])
    assert "the client credentials are nowhere. A deployed function has none; store them:" in " ".join(
        found.err.split()
    )
    (command,) = commands_in(found)
    assert command.startswith(f"token-refresh client {SECRET_ID} ")
    own = {"UPWORK_CLIENT_ID": "id", "UPWORK_CLIENT_SECRET": "secret"}
    for elsewhere in (own, {"CLIENT_SECRET_ID": "clients/upwork"}):
        deployed.function["Environment"] = {"Variables": {"TOKEN_SECRET_ID": SECRET_ID} | elsewhere}
        assert "warning" not in cli("refresh", "--dry-run", "--function=worker").err


def test_reserved_claims(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """The thirteenth forced refresh of a day asks, since it takes a claim that is reserved for scheduled runs."""
    tokens.store(expires_in=DAY)
    for _ in range(12):
        assert 0 == cli("refresh", "--force").code
        store.clock_offset_seconds += 2

    asked, forced = cli("refresh", "--force", stdin="n\n"), cli("refresh", "--force", "--yes")

    assert 1 == asked.code
    assert "12 refreshes were forced in the last 24 hours" in asked.screen
    assert "(12 of 40 are used). Go on?" in asked.screen
    assert 0 == forced.code
    assert 13 == endpoint.grant.redemptions


def test_events(capsys: pytest.CaptureFixture[str]) -> None:
    """An event that has no sentence is printed by its name; of a function's log tail the worker's own are, alone."""
    lines = ["START RequestId: 1", "[1]", json.dumps({"message": "canary"}), json.dumps({"event": "tokens_staged"})]

    Progress(errors()).info("something_new", token="canary")
    print_log(base64.b64encode("\n".join(lines).encode()).decode())

    assert ["- something new", "| info tokens_staged"] == [it.strip() for it in capsys.readouterr().err.splitlines()]


INVOKED = ("--invoke", "--function=worker")


def test_resend(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Where nobody knows whether a token was redeemed, only the command that the error prints sends it again."""
    tokens.store(expires_in=7 * HOUR)
    endpoint.play(script.close())
    lost = cli("refresh", REPLAY_GRACE_SECONDS="0")
    (printed,) = (command for command in commands_in(lost) if "--resend" in command)

    assert 1 == cli("refresh", "--force", REPLAY_GRACE_SECONDS="0").code
    assert "refreshed" == cli(*shlex.split(printed)[1:], "--json", REPLAY_GRACE_SECONDS="0").json["outcome"]


@pytest.fixture
def deployed(store: SecretsManagerServer, tokens: Tokens, environment: dict[str, str]) -> Iterator[Aws]:
    del tokens
    settings = {**store.environment, "PROVIDER": "upwork", "TOKEN_ENDPOINT": environment["TOKEN_ENDPOINT"]}
    with Function(settings) as function, Aws() as service:
        service.deployed = function
        service.function["Environment"] = {"Variables": {"TOKEN_SECRET_ID": SECRET_ID, **settings}}
        environment["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{service.address}"
        yield service


def test_invoke(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, deployed: Aws) -> None:
    """The deployed function does it. The command prints the lines of its log, and the name of its failure."""
    tokens.store(expires_in=DAY)

    refreshed = cli("refresh", *INVOKED, "--force", "--json")
    endpoint.grant.revoke()
    failed = cli("refresh", SECRET_ID, *INVOKED, "--force", "--json")

    assert (0, "refreshed") == (refreshed.code, refreshed.json["outcome"])
    assert "| info token_refresh_finished outcome=refreshed attempts=1 duration_ms=" in refreshed.screen
    assert (2, True) == (failed.code, failed.json["retry_at"] is not None)
    assert "function worker failed with ReauthorizationRequired: the provider rejected" in failed.screen
    cli("refresh", *INVOKED, "--resend", "attempt-1")
    known = {"secret_id": SECRET_ID, "dry_run": False}
    assert {"force": False, "resend": "attempt-1", **known} == deployed.events.pop()
    assert 2 * [{"force": True, **known}] == deployed.events


@pytest.mark.parametrize(
    ("response", "status", "code", "printed"),
    [
        (("Unhandled", b'{"errorType": "SecretStoreUnavailable", "errorMessage": "why"}'), 200, 1, "why"),
        (("Unhandled", b'{"errorType": "ReauthorizationRequired", "errorMessage": "why"}'), 200, 2, "why"),
        (("Unhandled", b'{"errorType": "KeyError", "errorMessage": "canary"}'), 200, 2, "failed with KeyError"),
        ((None, b""), 200, 2, "returned no result of a run"),
        ((None, b"<html>canary"), 200, 2, "returned no result of a run"),
        ((None, b'["canary"]'), 200, 2, "returned no result of a run"),
        ((None, b"{}"), 500, 1, "lambda:InvokeFunction"),
    ],
)
def test_who_has_to_act(  # noqa: PLR0917 - fixtures
    cli: Cli, deployed: Aws, response: tuple[str | None, bytes], status: int, code: int, printed: str
) -> None:
    """1 if a later run may mend it, 2 if a person must. Of another function only the type of its error is printed.

    Lambda may have started the function before it failed: a repeat would be a second run.
    """
    deployed.response, deployed.status = response, status

    ended = cli("refresh", *INVOKED)

    assert (code, True, 1) == (ended.code, printed in ended.screen, len(deployed.events)), ended.screen
    assert "canary" not in ended.screen


def test_no_function(cli: Cli, tokens: Tokens, deployed: Aws, environment: dict[str, str]) -> None:
    """A function that nothing proves or names, is not there, or a Lambda out of reach is said with the action."""
    tokens.store(expires_in=DAY)
    unnamed = cli("refresh", "--invoke")
    missing = cli("refresh", "--invoke", "--function=other")
    environment["AWS_ENDPOINT_URL_LAMBDA"] = "http://127.0.0.1:1"
    unreachable = cli("refresh", *INVOKED)

    assert [] == deployed.events
    assert (2, 2, 1) == (unnamed.code, missing.code, unreachable.code)
    assert f"nothing names the function that refreshes secret {SECRET_ID}" in unnamed.screen
    assert f"token-refresh refresh {SECRET_ID} --function NAME --invoke --region eu-central-1" in unnamed.screen
    assert "function other in eu-central-1 does not exist (lambda:GetFunctionConfiguration)" in missing.screen
    assert "aws lambda list-functions --query 'Functions[].FunctionName' --region eu-central-1" in missing.screen
    assert "lambda:GetFunctionConfiguration on function worker in eu-central-1 got no response" in unreachable.screen
