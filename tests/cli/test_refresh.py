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
from token_refresh_worker.cli.refresh import Progress, print_log
from token_refresh_worker.cli.screen import errors


def test_due(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """What is due is refreshed, with progress on standard error and the result on standard output."""
    before = tokens.store()

    ended = cli("refresh")

    assert 0 == ended.code
    assert ended.out.startswith("refreshed\n")
    assert "claimed the right to refresh, attempt 1" in ended.err
    assert "is current" in ended.err
    assert before not in ended.out
    assert [200] == [request.status for request in endpoint.requests]


def test_fresh_and_forced(cli: Cli, tokens: Tokens) -> None:
    """What is not due is left as it is, unless forced; a dry run says what would be, and sends nothing."""
    version_id = tokens.store(expires_in=DAY)

    assert ("fresh", version_id) == outcome(cli("refresh", "--json").json)
    assert ("would_refresh", version_id) == outcome(cli("refresh", "--force", "--dry-run", "--json").json)
    assert "refreshed" == cli("refresh", "--force", "--json").json["outcome"]


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


def test_a_dead_grant(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """What the provider sent is printed first, then what that means, and the command that authorizes again."""
    tokens.store()
    endpoint.grant.revoke()

    ended = cli("refresh")

    assert 2 == ended.code
    assert "the token endpoint sent no tokens: HTTP 400 with invalid_grant" in ended.err
    assert ended.err.index("invalid_grant") < ended.err.index("ReauthorizationRequired")
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in ended.err


def outcome(result: dict[str, str]) -> tuple[str, str]:
    return result["outcome"], result["version_id"]


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


def test_unnamed_event(capsys: pytest.CaptureFixture[str]) -> None:
    """An event of the run that has no sentence is printed by its name."""
    Progress(errors()).info("something_new", token="canary")

    assert "- something new" == capsys.readouterr().err.strip()


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


def test_nobody_names_the_function(cli: Cli, tokens: Tokens) -> None:
    """Where nothing proves which function refreshes the secret, the operator names it."""
    tokens.store(expires_in=DAY)

    ended = cli("refresh", "--invoke")

    assert (2, True) == (ended.code, f"nothing names the function that refreshes secret {SECRET_ID}" in ended.screen)
    assert f"token-refresh refresh {SECRET_ID} --function NAME --invoke --region eu-central-1" in ended.screen


@pytest.mark.parametrize(("error", "code"), [("SecretStoreUnavailable", 1), ("ReauthorizationRequired", 2)])
def test_who_has_to_act(cli: Cli, deployed: Aws, error: str, code: int) -> None:
    """The function's failure ends the command as a run here would: 1 if a later run may mend it, 2 if a person must."""
    deployed.response = ("Unhandled", json.dumps({"errorType": error, "errorMessage": "why"}).encode())

    assert code == cli("refresh", *INVOKED).code


@pytest.mark.parametrize(
    ("response", "printed"),
    [
        (("Unhandled", b'{"errorType": "KeyError", "errorMessage": "canary"}'), "failed with KeyError"),
        ((None, b""), "returned no result of a run"),
        ((None, b"<html>canary"), "returned no result of a run"),
        ((None, b'["canary"]'), "returned no result of a run"),
    ],
)
def test_another_function(cli: Cli, deployed: Aws, response: tuple[str | None, bytes], printed: str) -> None:
    """Of a function that is not this worker, only the type of its error is printed."""
    deployed.response = response

    ended = cli("refresh", *INVOKED)

    assert 2 == ended.code
    assert printed in ended.screen
    assert "canary" not in ended.screen


def test_a_failed_invocation_is_not_repeated(cli: Cli, deployed: Aws) -> None:
    """Lambda may have started the function before it failed: a repeat would be a second run."""
    deployed.response, deployed.status = (None, b"{}"), 500

    assert 1 == cli("refresh", *INVOKED).code
    assert 1 == len(deployed.events)


def test_no_function(cli: Cli, deployed: Aws, environment: dict[str, str]) -> None:
    """A function that is not there, or a Lambda out of reach, is printed of with the action."""
    missing = cli("refresh", "--invoke", "--function=other")
    environment["AWS_ENDPOINT_URL_LAMBDA"] = "http://127.0.0.1:1"
    unreachable = cli("refresh", *INVOKED)

    assert [] == deployed.events
    assert (2, 1) == (missing.code, unreachable.code)
    assert "function other in eu-central-1 does not exist (lambda:GetFunctionConfiguration)" in missing.screen
    assert "aws lambda list-functions --query 'Functions[].FunctionName' --region eu-central-1" in missing.screen
    assert "lambda:GetFunctionConfiguration on function worker in eu-central-1 got no response" in unreachable.screen


def test_lines_that_are_no_events_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a function's log tail only the worker's own events are printed, and no other JSON."""
    lines = ["START RequestId: 1", "[1]", json.dumps({"message": "canary"}), json.dumps({"event": "tokens_staged"})]

    print_log(base64.b64encode("\n".join(lines).encode()).decode())

    assert "| info tokens_staged" == capsys.readouterr().err.strip()
