"""`providers --from-issuer`: a profile from what a real authorization server publishes, which then works."""

import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cli.authorizing import Person, consent, stored, written
from cli.scene import Cli
from cli.shell import commands_in
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.providers.loader import read_profile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "profiles"
    own.mkdir()
    return own


def test_from_the_url_of_an_api_to_tokens(  # noqa: PLR0917 - fixtures
    cli: Cli,
    provider: AuthorizationServer,
    store: SecretsManagerServer,
    person: Callable[..., Person],
    free_port: int,
    folder: Path,
) -> None:
    """The profile of an API's URL authorizes and refreshes, and each request names the API as its resource."""
    api, before = f"{provider.issuer}/mcp", len(provider.requests())

    wrote = cli("providers", "my-mcp", "--from-issuer", api, "--profiles", str(folder))

    assert 0 == wrote.code, wrote.screen
    assert ["token-refresh authorize NAME --provider my-mcp"] == commands_in(wrote)
    assert f"resource {api}" in wrote.screen
    someone = person(consent)
    client = dict(zip(("clientId", "clientSecret"), provider.client(), strict=True))
    of_own = {"PROVIDER_PROFILES": str(folder), "TOKEN_SECRET_ID": "shop/prod/mcp"}
    authorized = cli(
        *("authorize", "--provider=my-mcp", f"--client-file={written(folder, client)}", "--yes"),
        f"--redirect-uri=http://127.0.0.1:{free_port}/callback",
        **of_own,
    )
    assert 0 == authorized.code, authorized.screen
    assert 200 == someone.leave()[0].status_code
    first = stored(store, "shop/prod/mcp")

    refreshed = cli("refresh", "--force", **of_own)

    assert 0 == refreshed.code, refreshed.screen
    assert "my-mcp" == first["provider"]
    assert first["refreshToken"] != stored(store, "shop/prod/mcp")["refreshToken"]
    sent = [(request.grant_type, request.resource) for request in provider.requests()[before:]]
    assert [("authorization_code", api), ("refresh_token", api)] == sent


def test_an_api_that_the_grant_is_not_for(cli: Cli, provider: AuthorizationServer, folder: Path) -> None:
    """The profile says what the metadata says, and calls assumed what nobody has said."""
    cli("providers", "--from-issuer", provider.issuer, "--profiles", str(folder))

    profile = read_profile(folder / "127-0-0-1.toml")

    assert profile.authorization is not None
    assert (provider.token_endpoint, provider.authorization_endpoint, provider.issuer) == (
        profile.token_endpoint,
        profile.authorization.endpoint,
        profile.authorization.issuer,
    )
    assert ("client_secret_basic", True, ("com.intuit.quickbooks.accounting", "read")) == (
        profile.request.auth_method,
        profile.authorization.pkce,
        profile.authorization.scopes,
    )
    assert profile.revocation_endpoint.startswith(provider.issuer)
    assert ["reported", "assumed"] == [fact.basis for fact in profile.evidence]
    written_life = (folder / "127-0-0-1.toml").read_text().replace("# [acc", "[acc").replace("# lifetime", "lifetime")
    assert None is profile.access_token_lifetime
    (folder / "an-hour.toml").write_text(written_life)
    assert timedelta(hours=1) == read_profile(folder / "an-hour.toml").access_token_lifetime


def test_nothing_is_overwritten(cli: Cli, provider: AuthorizationServer, folder: Path) -> None:
    """A file of that name stays as it is, also one behind a link that leads nowhere yet."""
    (folder / "mine.toml").write_text("mine")
    (folder / "link.toml").symlink_to(folder / "elsewhere")

    found = [
        cli("providers", name, "--from-issuer", provider.issuer, "--profiles", str(folder)) for name in ("mine", "link")
    ]

    assert [2, 2] == [ended.code for ended in found]
    assert "exists, and nothing was written" in found[0].screen
    assert "File exists" in found[1].screen
    assert ("mine", False) == ((folder / "mine.toml").read_text(), (folder / "elsewhere").exists())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://example.com",), "--from-issuer must be https"),
        (("https://me:pass@example.com",), "must have neither credentials nor a fragment"),
        (("https://example.com?tenant=1",), "without a query"),
        (("https://example.com",), "no folder is named for the profile. Name one that exists: --profiles FOLDER"),
        (("https://example.com", "--profiles", "/nowhere"), "PROVIDER_PROFILES must be a folder"),
        (("https://example.com", "--profiles", "/tmp", "Not A Name"), "the name of a profile must match"),  # noqa: S108 - nothing is written there
    ],
)
def test_what_is_asked_for_must_make_sense(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    """A URL, folder or name that can't be right is an error before anything is sent."""
    ended = cli("providers", "--from-issuer", *arguments)

    assert 2 == ended.code
    assert said in ended.screen


def test_the_printed_folder_is_one_word(cli: Cli, provider: AuthorizationServer, tmp_path: Path) -> None:
    """A shell sets the printed variable, whatever the folder is called."""
    folder = tmp_path / "my profiles"
    folder.mkdir()

    ended = cli("providers", "x", "--from-issuer", provider.issuer, "--profiles", str(folder))

    (line,) = [line for line in ended.out.splitlines() if line.strip().startswith("export ")]
    assert ["export", f"PROVIDER_PROFILES={folder}"] == shlex.split(line)
