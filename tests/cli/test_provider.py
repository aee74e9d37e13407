"""Which provider a command acts on, and what `authorize` takes from its profile."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from cli.authorizing import Paste, stored
from cli.scene import SECRET_ID, Cli, Ended, Tokens
from providers.imitation import CLIENT_ID, CLIENT_SECRET, Imitation
from testbed.builders import HOUR
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

_ELSEWHERE = {"TOKEN_ENDPOINT": "https://example.com/t"}
CLIENT = {"UPWORK_CLIENT_ID": "me", "UPWORK_CLIENT_SECRET": "hush"}


def page(ended: Ended) -> tuple[str, dict[str, str]]:
    """Return the address of the authorization page that was printed, and what it asks for."""
    found = re.search(r"^https://\S+$", ended.err, re.MULTILINE)
    assert found is not None
    parts = urlsplit(found[0])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query))


def test_the_page_of_a_profile(cli: Cli) -> None:
    """A profile says where the page is, which scopes and other parameters it needs, and whether PKCE is left out."""
    atlassian = cli("authorize", "--provider=atlassian", "--paste", "--yes", "--scope=accounting", **CLIENT)
    google = cli("authorize", "--provider=google", "--paste", "--yes", **CLIENT)
    slack = cli(
        "authorize", "--provider=slack", "--redirect-uri=https://example.com/back", "--paste", "--yes", **CLIENT
    )

    where, asked = page(atlassian)
    assert ("https://auth.atlassian.com/authorize", "accounting offline_access") == (where, asked["scope"])
    assert (True, False) == ("code_challenge" in asked, "code_challenge" in page(slack)[1])
    assert {"access_type": "offline", "prompt": "consent"}.items() <= page(google)[1].items()


def test_a_variable_of_the_provider(cli: Cli) -> None:
    """A variable fills the page's host, and is checked against the profile."""
    filled = cli("authorize", "--provider=shopify", "--variable=shop=my-shop", "--paste", "--yes", **CLIENT)
    missing = cli("authorize", "--provider=shopify", "--paste", "--yes", **CLIENT)
    hostile = cli("authorize", "--provider=shopify", "--variable=shop=evil.com/", "--paste", "--yes", **CLIENT)
    malformed = cli("authorize", "--provider=shopify", "--variable=shop", "--paste", "--yes", **CLIENT)

    assert "https://my-shop.myshopify.com/admin/oauth/authorize" == page(filled)[0]
    assert (2, 2, 64) == (missing.code, hostile.code, malformed.code)
    assert "needs the variable shop" in missing.screen
    assert "needs the variable shop" in hostile.screen


@pytest.mark.parametrize(
    ("provider", "variables", "said"),
    [
        ("generic", _ELSEWHERE, "name it with --authorization-endpoint URL"),
        ("shopify", _ELSEWHERE, "name the authorization page of that token endpoint with --authorization-endpoint URL"),
        ("hubsopt", {}, "that name (did you mean hubspot?)"),
    ],
)
def test_no_page(cli: Cli, provider: str, variables: dict[str, str], said: str) -> None:
    """Without an authorization page nothing is asked, and it says what to give; no document is blamed for an option."""
    ended = cli("authorize", "--paste", "--yes", f"--provider={provider}", **CLIENT, **variables)

    assert 2 == ended.code
    assert said in ended.screen
    assert "restore" not in ended.screen


@pytest.mark.parametrize(
    ("provider", "keys"),
    [
        ("paypal", "clientId and clientSecret"),
        ("facebook", "clientId, clientSecret, expiresAt, and accessToken, which lives for weeks,"),
        ("threads", "clientId, expiresAt, and accessToken, which lives for weeks,"),
    ],
)
def test_a_provider_without_refresh_tokens(cli: Cli, store: SecretsManagerServer, provider: str, keys: str) -> None:
    """Nothing is asked: the error says what the document needs, and has the command that stores it."""
    missing = cli("authorize", f"--provider={provider}", stdin="")
    store.client().create_secret(Name=SECRET_ID, SecretString="{}")
    empty = cli("authorize", f"--provider={provider}", stdin="")

    assert (2, 2) == (missing.code, empty.code)
    assert "has no refresh tokens, so there is nothing to authorize" in missing.screen
    assert f"Pipe a JSON object with {keys} into:" in " ".join(missing.screen.split())
    end = f"{SECRET_ID} --region eu-central-1 --secret-string file:///dev/stdin"
    assert f"  aws secretsmanager create-secret --name {end}" in missing.err.splitlines()
    assert f"  aws secretsmanager put-secret-value --secret-id {end}" in empty.err.splitlines()


def test_what_is_stored(cli: Cli, paste: Paste, store: SecretsManagerServer) -> None:
    """Provider and variables are stored with the tokens, in the document's spelling, and apply from then on."""
    store.client().create_secret(Name=SECRET_ID, SecretString='{"client_id": "me", "client_secret": "hush"}')

    ended = paste("--provider=atlassian", "--variable=a=b")

    assert 0 == ended.code
    assert "provider Atlassian (3LO) (127.0.0.1)" in ended.screen
    assert ("atlassian", {"a": "b"}) == tuple(stored(store)[key] for key in ("provider", "provider_variables"))
    assert 0 == cli("status").code
    other = cli("refresh", PROVIDER="upwork")
    assert "belong to the provider atlassian, and the settings say upwork" in other.screen


@pytest.mark.parametrize("name", ["zendesk", "withings"])  # Shopify signs its redirect: test_authorize_brings.py
def test_an_exchange_as_the_provider_wants_it(
    cli: Cli, paste: Paste, environment: dict[str, str], store: SecretsManagerServer, name: str
) -> None:
    """The exchange has the fields without which a provider sends no refresh token, and a refresh follows it."""
    client = {"UPWORK_CLIENT_ID": CLIENT_ID, "UPWORK_CLIENT_SECRET": CLIENT_SECRET}
    with Imitation(name) as provider:
        environment["TOKEN_ENDPOINT"] = provider.url
        authorized = paste(f"--provider={name}", **client)
        refreshed = cli("refresh", "--force", "--yes", PROVIDER=name, **client)

        assert (0, 0) == (authorized.code, refreshed.code), authorized.screen + refreshed.screen
        assert ([], 2) == (provider.faults, provider.redemptions)
        assert provider.newest_refresh_token == stored(store)["refreshToken"]


def test_a_provider_that_has_ended(cli: Cli, tokens: Tokens) -> None:
    """Status and doctor name the successor of a provider that ends, and where its facts are."""
    tokens.store(expires_in=15 * HOUR)

    for command in ("status", "doctor"):
        ended = cli(command, PROVIDER="fitbit")
        assert "Fitbit ended on 2026-11-02; its successor is the provider google" in ended.screen
        assert "token-refresh providers fitbit" in ended.screen
    assert 1 == cli("status", PROVIDER="fitbit").code


def test_the_time_of_issue(
    paste: Paste, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, store: SecretsManagerServer
) -> None:
    """New tokens are as old as their request, so that the stored expiry is never too late."""
    before = datetime(2030, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(
        "token_refresh_admin.cli.authorize.read_clock", lambda _: before + HOUR if endpoint.requests else before
    )

    paste("--provider=atlassian", **CLIENT)

    assert before.timestamp() * 1000 == stored(store)["issuedAt"]


def test_an_unknown_provider_in_the_document(cli: Cli, tokens: Tokens, environment: dict[str, str]) -> None:
    """A document that names no profile is reported with the command that corrects it."""
    tokens.store(provider="<canary>")
    del environment["PROVIDER"]

    ended = cli("status")

    assert 3 == ended.code
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1 --provider NAME" in ended.screen
    assert "canary" not in ended.screen


def test_tokens_without_a_provider(
    cli: Cli, tokens: Tokens, environment: dict[str, str], endpoint: TokenEndpoint
) -> None:
    """A refresh asks before it sends them to the default provider; verify and a dry run send and ask nothing."""
    tokens.store()
    del environment["PROVIDER"], environment["TOKEN_ENDPOINT"]

    refresh, verify, dry = cli("refresh", stdin="n\n"), cli("verify"), cli("refresh", "--dry-run", "--json")

    assert (1, 3, "would_refresh") == (refresh.code, verify.code, dry.json["outcome"])
    assert "Send the refresh token to www.upwork.com?" in refresh.screen
    assert "--url URL" in verify.screen
    assert [] == endpoint.requests


@pytest.mark.parametrize("line", ["status", "refresh", "authorize", "client", "doctor", "pause --for=1h"])
def test_a_name_that_is_none(cli: Cli, tokens: Tokens, line: str) -> None:
    """No printed command repeats `--provider` with a name that no profile has; the command that lists them is there."""
    tokens.put("junk")

    ended = cli(
        *line.split(), SECRET_ID, "--provider=nope", "--yes" if line == "authorize" else "--region=eu-central-1"
    )

    assert ended.code
    assert "there is no provider profile of that name" in ended.screen
    assert "nope" not in ended.screen
    assert "  token-refresh providers" in ended.err.splitlines()
