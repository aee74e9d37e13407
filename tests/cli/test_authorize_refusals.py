"""`authorize`: where the provider refuses, at its page or at its token endpoint."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.authorizing import Person, consent, paste_into, redirected
from cli.scene import SECRET_ID, Cli
from deployed import tag_secrets
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.mark.parametrize(
    ("response", "printed"),
    [
        ({"error": "access_denied"}, "the provider did not authorize (access_denied)"),
        ({"error": "<script>"}, "an error without an RFC 6749 code"),
        (
            {"code": "made-up"},
            "the token endpoint sent no tokens (HTTP 400 with invalid_grant): the code was used",
        ),
    ],
)
def test_refused(  # noqa: PLR0917 - fixtures
    cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int, response: dict[str, str], printed: str
) -> None:
    """Where the provider refuses, the terminal says why, the page says so, and nothing is stored."""
    someone = person(lambda url: redirected(url, **response))

    ended = cli(
        "authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback", "--yes"
    )

    assert 2 == ended.code
    assert printed in ended.screen
    assert "Not authorized" in someone.leave().pages[0].text
    assert 3 == cli("status").code


@pytest.mark.parametrize("known_by", ["tag", "setting", "content"])
def test_a_published_secret(
    cli: Cli, client_file: Path, store: SecretsManagerServer, person: Callable[..., Person], known_by: str
) -> None:
    """A secret that a deployment publishes to is refused before the browser opens, also while it is empty."""
    someone = person()
    copy = {"accessToken": "a", "expiresAt": 4_000_000_000_000, "sourceVersionId": "v"}
    content = {"SecretString": json.dumps(copy)} if known_by == "content" else {}
    tags = [{"Key": "token-refresh:published-from", "Value": "my tokens"}] if known_by == "tag" else []
    store.client().create_secret(Name=SECRET_ID, Tags=[{"Key": "team", "Value": "a"}, *tags], **content)
    variables = {"PUBLISHED_SECRET_ID": SECRET_ID} if known_by == "setting" else {}

    ended = cli("authorize", f"--client-file={client_file}", "--yes", "--timeout=1", **variables)

    assert 0 != ended.code
    assert f"secret {SECRET_ID} in eu-central-1 is the published copy for consumers" in ended.screen
    if known_by == "tag":
        assert "token-refresh authorize 'my tokens' --region eu-central-1" in ended.screen
    assert not someone.pages
    assert (known_by == "content") == bool(store.client().list_secret_version_ids(SecretId=SECRET_ID)["Versions"])


def test_an_adopted_published_secret(
    cli: Cli, client_file: Path, store: SecretsManagerServer, person: Callable[..., Person]
) -> None:
    """What `scripts/deploy` does to an adopted published secret is enough to refuse it while it is empty."""
    someone = person()
    for name in (SECRET_ID, "old-tokens"):
        store.client().create_secret(Name=name)
    outputs = {"FunctionName": "token-refresh-prod", "TokenSecretId": "old-tokens", "PublishedSecretId": SECRET_ID}
    tag_secrets(store.client(), outputs)

    ended = cli("authorize", f"--client-file={client_file}", "--yes", "--timeout=1")

    assert 0 != ended.code
    assert f"secret {SECRET_ID} in eu-central-1 is the published copy for consumers" in ended.screen
    assert "token-refresh authorize old-tokens --region eu-central-1" in ended.screen
    assert not someone.pages
    assert not store.client().list_secret_version_ids(SecretId=SECRET_ID)["Versions"]


def test_a_secret_that_may_not_be_described(
    cli: Cli, client_file: Path, store: SecretsManagerServer, person: Callable[..., Person], free_port: int
) -> None:
    """Without the permission to describe the secret, `authorize` does what it is asked to."""
    store.client().create_secret(Name=SECRET_ID)
    store.fault("deny", "DescribeSecret", times=None)
    person(consent)

    ended = cli("authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback")

    assert 0 == ended.code


@pytest.mark.parametrize(
    ("played", "printed"),
    [
        (script.status(200, {"access_token": "a"}), "what is known of it: token-refresh providers generic"),
        (script.error("invalid_client", http_status=401), "ClientRejected: the token endpoint rejected the client"),
        (script.html(403), "check the token endpoint (TOKEN_ENDPOINT), then run authorize again"),
        (script.status(500), "sent no tokens (HTTP 500)"),
        (
            script.status(200, b'{"data":{"accessToken":"canary-1","refreshToken":"canary-2"}}'),
            "no usable access_token; /data/accessToken: text of 8 characters (letters, digits, others); /data/refresh",
        ),
    ],
)
def test_no_tokens(  # noqa: PLR0917 - fixtures
    cli: Cli,
    endpoint: TokenEndpoint,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    played: script.Script,
    printed: str,
) -> None:
    """Whatever the token endpoint sends instead of tokens, it is said in our own words, with what to do."""
    environment["TOKEN_ENDPOINT"] = endpoint.url
    endpoint.play(played)

    ended = paste_into(cli, monkeypatch, UPWORK_CLIENT_ID="me", UPWORK_CLIENT_SECRET="hush")

    assert 2 == ended.code
    assert printed in ended.screen
    assert "canary" not in ended.screen
