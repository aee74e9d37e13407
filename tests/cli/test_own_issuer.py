"""An issuer that nobody listed: the page's template makes a profile that works at a real authorization server."""

from collections.abc import Callable
from pathlib import Path

from cli.authorizing import Person, consent, stored, written
from cli.issuer import fill_template
from cli.scene import Cli
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer


def test_from_the_template_to_tokens(  # noqa: PLR0917 - fixtures
    cli: Cli,
    provider: AuthorizationServer,
    store: SecretsManagerServer,
    person: Callable[..., Person],
    free_port: int,
    tmp_path: Path,
) -> None:
    """The profile authorizes and refreshes, and each request names the API as its resource."""
    api, before = f"{provider.issuer}/mcp", len(provider.requests())
    profile = fill_template(provider.issuer, provider.authorization_endpoint, provider.token_endpoint, resource=api)
    (tmp_path / "my-mcp.toml").write_text(profile)
    someone = person(consent)
    client = dict(zip(("clientId", "clientSecret"), provider.client(), strict=True))
    of_own = {"PROVIDER_PROFILES": str(tmp_path), "TOKEN_SECRET_ID": "shop/prod/mcp"}

    authorized = cli(
        *("authorize", "--provider=my-mcp", f"--client-file={written(tmp_path, client)}", "--yes"),
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
