"""`doctor`: each trouble by its name, against a real-enough AWS, and with what to do."""

from typing import Any

import pytest

from builders import DAY
from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def test_all_is_well(cli: Cli, tokens: Tokens) -> None:
    """Where all is well nothing failed, exit status 0, and what was not checked is named."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    ended = cli("doctor")

    assert (0, "") == (ended.code, ended.err)
    assert "Nothing failed." in ended.screen
    assert "skipped function: pass --function NAME" in ended.screen
    assert "skipped credentials: not checked" in ended.screen
    assert "skipped your permissions: writing not tried: Secrets Manager is not at AWS's own endpoint" in ended.screen
    assert "it responds and knows the client (HTTP 400 with invalid_grant" in ended.screen
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_it_changes_nothing(cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint) -> None:
    """What it tries changes neither a version nor a label, and redeems nothing."""
    tokens.store(expires_in=DAY)
    before = store.secrets.snapshot()

    cli("doctor")

    assert before == store.secrets.snapshot()
    assert 0 == endpoint.grant.redemptions


def test_secret_not_found(cli: Cli) -> None:
    """Secret not found: the first of the four classic troubles."""
    ended = cli("doctor", "--token-endpoint=http://127.0.0.1:1")

    assert 1 == ended.code
    assert "FAILED secret: SecretNotFound" in ended.screen
    assert "nor in another region that could be asked" in ended.screen
    assert "FAILED token endpoint: nothing could be sent from here (ConnectError)" in ended.screen
    assert "2 failed." in ended.screen


def test_wrong_region(cli: Cli, tokens: Tokens) -> None:
    """Wrong region: the secret is looked for in the others, and the one that has it is named."""
    tokens.store(expires_in=DAY)

    ended = cli("doctor", "--region=us-east-1")

    assert 1 == ended.code
    assert f"secret {SECRET_ID} does not exist in us-east-1, and exists in eu-central-1" in ended.screen
    assert f"token-refresh doctor {SECRET_ID} --region eu-central-1" in ended.screen


def test_a_stale_consumer(cli: Cli, tokens: Tokens) -> None:
    """A consumer's cache that does not update: the version that it reports is compared with the current one."""
    old = tokens.store(expires_in=DAY)
    new = tokens.store(expires_in=DAY)
    unknown = "3f0c8c35-3c0f-4d5e-8f4e-1d6e7d2b9a10"

    assert "the consumer's cache is stale" in cli("doctor", f"--consumer-version={old}").screen
    assert "token_refresh.reader" in cli("doctor", f"--consumer-version={old}").screen
    for reported in (new, new[:8]):  # `status` prints the short form
        assert "the consumer has the current version" in cli("doctor", f"--consumer-version={reported}").screen
    assert "the consumer reads another secret" in cli("doctor", f"--consumer-version={unknown}").screen


@pytest.mark.parametrize(("offset", "grade"), [(0, "ok"), (60, "look"), (-60, "look"), (600, "failed")])
def test_clock(cli: Cli, tokens: Tokens, store: SecretsManagerServer, offset: int, grade: str) -> None:
    """A clock that is off by half a minute is worth a look, and one that is off by 5 minutes fails."""
    tokens.store(expires_in=DAY)
    store.clock_offset_seconds = offset

    assert grade == grades(cli("doctor", "--json"))["clock"]


def test_unreachable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secrets Manager out of reach fails once, and does not keep the other checks from going on."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.1)

    ended = cli("doctor", "--json", "--endpoint-url=http://127.0.0.1:1", "--token-endpoint=http://127.0.0.1:1")

    assert {"region": "ok", "clock": "skipped", "secret": "failed", "token endpoint": "failed"}.items() <= (
        grades(ended).items()
    )


def test_tokens(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """What `status` would say is among the checks."""
    tokens.store()
    endpoint.grant.revoke()
    cli("refresh")

    ended = cli("doctor")

    assert 1 == ended.code
    assert "FAILED tokens: the provider rejected the refresh token" in ended.screen
    assert "look last refresh: " in ended.screen
    tokens.store(expiresAt=None)
    assert "look" == grades(cli("doctor", "--json"))["tokens"]


def test_client_credentials(cli: Cli, tokens: Tokens) -> None:
    """Missing client credentials fail, and the token endpoint is asked without them."""
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None)

    ended = cli("doctor")

    assert "FAILED client credentials: no client credentials were found in any of three places" in ended.screen
    assert "ok token endpoint: it responds (HTTP 401 with invalid_client" in ended.screen


@pytest.mark.parametrize(
    ("played", "grade", "printed"),
    [
        (script.error("invalid_client", http_status=401), "failed", "rejects the client credentials"),
        (script.status(200, {"access_token": "a"}), "failed", "do not trust it"),
        (script.html(200), "failed", "does not respond as a token endpoint"),
        (script.status(503), "look", "does not respond as a token endpoint (HTTP 503)"),
    ],
)
def test_token_endpoint(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, played: script.Script, grade: str, printed: str
) -> None:
    """What the token endpoint sends to a made-up refresh token says what is wrong with it, or with the client."""
    tokens.store(expires_in=DAY)
    endpoint.play(played)

    ended = cli("doctor", "--json")

    assert grade == grades(ended)["token endpoint"]
    assert printed in ended.screen


def test_configuration(cli: Cli) -> None:
    """A wrong setting is all that is reported."""
    ended = cli("doctor", TOKEN_ENDPOINT="http://example.com")

    assert 1 == ended.code
    assert "FAILED configuration: TOKEN_ENDPOINT must be https" in ended.screen


def test_region_of_a_profile(cli: Cli, environment: dict[str, str], tmp_path: Any) -> None:
    """The region may be the profile's."""
    del environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]
    config = tmp_path / "config"
    config.write_text("[profile ops]\nregion = eu-north-1\n[default]\nregion = eu-west-3\n")

    assert "eu-west-3, from the profile" in cli("doctor", AWS_CONFIG_FILE=str(config)).screen


@pytest.mark.parametrize(
    ("state", "text", "remedy"),
    [
        (
            "denied",
            "secretsmanager:GetSecretValue on secret {} was denied (AccessDeniedException)",
            "allow this action",
        ),
        ("empty", "secret {} has no value yet", "store the first token set with `token-refresh authorize"),
        ("missing", "secret {} does not exist in eu-central-1, nor in another region that could be asked", "Check the"),
    ],
)
def test_a_secret_that_can_not_be_read(  # noqa: PLR0917 - fixtures, and what is seen
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, state: str, text: str, remedy: str
) -> None:
    """What is wrong with the secret is one line without commands, and the remedy is another with them."""
    if state == "empty":
        store.client().create_secret(Name=SECRET_ID)
    elif state == "denied":
        tokens.store(expires_in=DAY)
        store.fault("deny", "GetSecretValue", times=None)

    (check,) = [check for check in cli("doctor", "--json").json["checks"] if check["name"] == "secret"]

    where = SECRET_ID if state == "missing" else f"{SECRET_ID} in eu-central-1"
    assert check["text"].endswith(text.format(where))
    assert check["remedy"].startswith(remedy)
