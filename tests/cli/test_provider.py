"""Which provider a command acts on, and what `authorize` takes from its profile."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from builders import DAY
from cli.authorizing import paste_into, stored
from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Ended, Tokens
from providers.imitation import CLIENT_ID, Imitation
from testbed.dynamodb.server import DynamoDbServer
from testbed.kms import Kms
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

CLIENT = {"UPWORK_CLIENT_ID": "me", "UPWORK_CLIENT_SECRET": "hush"}


def page(ended: Ended) -> tuple[str, dict[str, str]]:
    """Give the address of the authorization page that was printed, and what it asks for."""
    found = re.search(r"^https://\S+$", ended.err, re.MULTILINE)
    assert found is not None
    parts = urlsplit(found[0])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))


def test_the_page_of_a_profile(cli: Cli) -> None:
    """A profile says where the page is, which scopes a refresh token needs, and which other parameters."""
    atlassian = cli("authorize", "--provider=atlassian", "--paste", "--yes", "--scope=accounting", **CLIENT)
    google = cli("authorize", "--provider=google", "--paste", "--yes", **CLIENT)

    where, asked = page(atlassian)
    assert ("https://auth.atlassian.com/authorize", "accounting offline_access") == (where, asked["scope"])
    assert "code_challenge" in asked
    assert {"access_type": "offline", "prompt": "consent"}.items() <= page(google)[1].items()


def test_a_variable_of_the_provider(cli: Cli) -> None:
    """A variable fills the page's host, is checked against the profile, and PKCE is left out as the profile says."""
    filled = cli("authorize", "--provider=shopify", "--variable=shop=my-shop", "--paste", "--yes", **CLIENT)
    missing = cli("authorize", "--provider=shopify", "--paste", "--yes", **CLIENT)
    hostile = cli("authorize", "--provider=shopify", "--variable=shop=evil.com/", "--paste", "--yes", **CLIENT)
    malformed = cli("authorize", "--provider=shopify", "--variable=shop", "--paste", "--yes", **CLIENT)

    where, asked = page(filled)
    assert ("https://my-shop.myshopify.com/admin/oauth/authorize", False) == (where, "code_challenge" in asked)
    assert (1, 1, 64) == (missing.code, hostile.code, malformed.code)
    assert "needs the variable shop" in missing.screen
    assert "needs the variable shop" in hostile.screen


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--provider=instagram"], "has no refresh tokens"),
        (["--provider=generic", "--token-endpoint=https://example.com/t"], "name it with --authorization-endpoint URL"),
        (
            ["--provider=shopify", "--token-endpoint=https://example.com/t"],
            "name the authorization page of that token endpoint with --authorization-endpoint URL",
        ),
        (["--provider=nope"], "PROVIDER must be one of"),
    ],
)
def test_no_page(cli: Cli, arguments: list[str], said: str) -> None:
    """Without an authorization page nothing is asked, and it says what to give."""
    ended = cli("authorize", "--paste", "--yes", *arguments, **CLIENT)

    assert 1 == ended.code
    assert said in ended.screen


def test_what_is_stored(
    cli: Cli,
    endpoint: TokenEndpoint,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    store: SecretsManagerServer,
) -> None:
    """Provider and variables are stored with the tokens, in the document's spelling, and apply from then on."""
    environment["TOKEN_ENDPOINT"] = endpoint.url
    store.client().create_secret(Name=SECRET_ID, SecretString='{"client_id": "me", "client_secret": "hush"}')
    endpoint.play(script.status(200, {"access_token": "a", "refresh_token": "r", "expires_in": 3600}))

    ended = paste_into(cli, monkeypatch, "--provider=atlassian", "--variable=a=b")

    assert 0 == ended.code
    assert "provider Atlassian (3LO) (127.0.0.1)" in ended.screen
    assert ("atlassian", {"a": "b"}) == tuple(stored(store)[key] for key in ("provider", "provider_variables"))
    assert 0 == cli("status").code
    other = cli("refresh", PROVIDER="upwork")
    assert "belong to the provider atlassian, and the settings say upwork" in other.screen


def test_a_lifetime_that_the_response_leaves_out(
    cli: Cli, endpoint: TokenEndpoint, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the response has no lifetime, the profile's counts."""
    environment["TOKEN_ENDPOINT"] = endpoint.url
    endpoint.play(script.status(200, {"access_token": "a", "refresh_token": "r"}))

    paste_into(cli, monkeypatch, "--provider=atlassian", **CLIENT)

    assert 3500 < cli("status", "--json", PROVIDER="atlassian").json["seconds_to_expiry"] <= 3601


def test_an_unknown_provider_in_the_document(cli: Cli, tokens: Tokens, environment: dict[str, str]) -> None:
    """A document that names no profile is reported with the command that corrects it."""
    tokens.store(provider="<canary>")
    del environment["PROVIDER"]

    ended = cli("status")

    assert 3 == ended.code
    assert f"token-refresh authorize {SECRET_ID} --provider NAME --region eu-central-1" in ended.screen
    assert "canary" not in ended.screen


@pytest.fixture
def unnamed(tokens: Tokens, environment: dict[str, str]) -> Tokens:
    """Tokens that name no provider."""
    tokens.store()
    del environment["PROVIDER"], environment["TOKEN_ENDPOINT"]
    return tokens


def test_tokens_without_a_provider(cli: Cli, unnamed: Tokens, endpoint: TokenEndpoint) -> None:
    """A refresh asks before it sends them to the default provider; verify sends nothing without a URL."""
    del unnamed

    refresh, verify = cli("refresh", stdin="n\n"), cli("verify")

    assert (1, 3) == (refresh.code, verify.code)
    assert "Send the refresh token to www.upwork.com?" in refresh.screen
    assert "--url URL" in verify.screen
    assert [] == endpoint.requests


def test_a_dry_run_asks_nothing(cli: Cli, unnamed: Tokens) -> None:
    """A dry run sends nothing, so it asks nothing."""
    del unnamed

    assert "would_refresh" == cli("refresh", "--dry-run", "--json").json["outcome"]


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
    assert "lambda:GetFunctionConfiguration on function nope in eu-central-1 " in ended.screen


@pytest.mark.parametrize("name", ["status", "authorize", "refresh", "doctor", "history"])
def test_a_short_lifetime_names_the_command_with_the_function_s_settings(cli: Cli, tokens: Tokens, name: str) -> None:
    """Tokens of 30 minutes need a claim table; what to deploy is said, and the whole command with its settings."""
    tokens.store(provider="xero")

    ended = cli(name, "--provider=xero")

    assert 'deploy with claim_table = "create", which sets CLAIM_TABLE; then act with its settings' in ended.screen
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


def test_claims_move_out_of_a_store_that_tokens_do_not_fit(cli: Cli, tokens: Tokens) -> None:
    """The command that is the way out of a claim store too small for the tokens works on them."""
    tokens.store(provider="xero")

    ended = cli("claims", "move", "--provider=xero", "--to=table", "--table=claims", "--yes")

    assert "fit the claim store" not in ended.screen


@pytest.fixture
def kms(environment: dict[str, str]) -> Iterator[Kms]:
    with Kms() as server:
        environment["AWS_ENDPOINT_URL_KMS"] = f"http://{server.address}"
        yield server


@pytest.fixture
def keyed(tokens: Tokens, environment: dict[str, str]) -> Iterator[Imitation]:
    """A provider to which the client authenticates with a key in KMS; no client secret exists."""
    tokens.store(expires_in=DAY, clientId=CLIENT_ID, clientSecret=None)
    with Imitation("auth0") as provider:
        provider.success["request"]["fields"] = [
            *("grant_type", "refresh_token", "client_id", "client_assertion_type", "client_assertion")
        ]
        environment |= {"PROVIDER": "auth0", "TOKEN_ENDPOINT": provider.url, "CLIENT_KEY_ID": "alias/client"}
        environment["TOKEN_ENDPOINT_AUTH_METHOD"] = "private_key_jwt"
        yield provider


def test_doctor_signs_with_the_key(cli: Cli, kms: Kms, keyed: Imitation) -> None:
    """The request of `doctor` has an assertion that the provider can verify, and shows that it knows the client."""
    ended = cli("doctor")

    assert "ok token endpoint: it responds and knows the client (HTTP 403 with invalid_grant" in ended.screen
    assert ([], ["alias/client"], 1) == (keyed.faults, kms.keys, len(keyed.received))
    assertion = keyed.received[0]["client_assertion"]
    assert {"iss": CLIENT_ID, "aud": keyed.url}.items() <= kms.claims_of(assertion).items()
    assert assertion not in ended.screen


def test_doctor_says_why_nothing_was_signed(cli: Cli, kms: Kms, keyed: Imitation) -> None:
    """Without a signature nothing is sent, and the key, the action and the remedy are named."""
    kms.refuses = True

    ended = cli("doctor")

    assert 1 == ended.code
    assert "FAILED token endpoint: nothing could be sent from here (kms:Sign on key alias/client" in ended.screen
    assert "correct CLIENT_KEY_ID, or allow kms:Sign on that key" in ended.screen
    assert [] == keyed.received
