"""`authorize`: whose redirect is believed, by its state and by the issuer that it names (RFC 9207)."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from cli.authorizing import Person, redirected
from cli.scene import Cli
from token_refresh_worker.changes.authorization import AuthorizationRequest, ForeignRedirect, build_authorization
from token_refresh_worker.changes.change import ChangeFailed
from token_refresh_worker.providers.loader import read_profile
from token_refresh_worker.stored.credentials import ClientCredentials

PROFILE = """
title = "Tenants"
token_endpoint = "https://{tenant}.example.com/token"
rotation = "always"
grace = 0
[variables]
tenant = "[a-z]+"
[authorization]
endpoint = "https://{tenant}.example.com/authorize"
issuer = "https://{tenant}.example.com/realm"
[[evidence]]
says = "All of it"
source = "https://example.com/docs"
on = 2026-11-27
"""


def request(issuer: str | None = None) -> AuthorizationRequest:
    return AuthorizationRequest(
        endpoint="https://login.example.com/authorize",
        client=ClientCredentials(client_id="me", client_secret=None),
        redirect_uri="http://127.0.0.1/callback",
        scope=None,
        pkce=True,
        issuer=issuer,
        token_host="identity.example.com",
    )


def read(asked: AuthorizationRequest, **response: str) -> str:
    url = f"{asked.redirect_uri}?{urlencode({'state': asked.state, 'code': 'c', **response})}"
    return asked.read_redirect(url).code.reveal()


@pytest.mark.parametrize("iss", ["https://login.example.com", "https://identity.example.com/realm/1", None])
def test_the_providers_own_issuer(iss: str | None) -> None:
    """Where the profile names no issuer, one on a host of the provider's is believed, and so is none."""
    assert "c" == read(request(), **({"iss": iss} if iss else {}))


@pytest.mark.parametrize("iss", ["https://evil.example", "https://login.example.com.evil.example", "http://[", "x"])
def test_a_stranger_as_issuer(iss: str) -> None:
    """An issuer on another host is refused, also with the right state, and is not quoted."""
    with pytest.raises(ChangeFailed, match=r"its code was not used") as refused:
        read(request(), iss=iss)
    assert iss == "x" or iss not in str(refused.value)


@pytest.mark.parametrize("iss", ["https://login.example.com/", "https://login.example.com/other", None])
def test_a_known_issuer_is_compared_exactly(iss: str | None) -> None:
    """Where the profile says what its provider sends, nothing else is believed, and not its absence."""
    asked = request("https://login.example.com")

    assert "c" == read(asked, iss="https://login.example.com")
    with pytest.raises(ChangeFailed, match="does not come from the issuer https://login"):
        read(asked, **({"iss": iss} if iss else {}))


def test_an_error_of_another_issuer() -> None:
    """The error of another issuer is not taken for the provider's."""
    with pytest.raises(ChangeFailed, match="issuer"):
        read(request(), error="access_denied", iss="https://evil.example")


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_a_field_that_comes_twice(name: str) -> None:
    """A redirect in which two programs could read two values is not this authorization's (RFC 6749 section 3.1)."""
    asked = request()
    values = {"state": asked.state, "code": "c", "iss": "https://login.example.com"}
    with pytest.raises(ForeignRedirect):
        asked.read_redirect(
            f"{asked.redirect_uri}?{urlencode([*values.items(), *[(name, values.get(name, 'x'))] * 2])}"
        )


def test_the_profiles_issuer_is_filled(tmp_path: Path) -> None:
    """A profile's issuer has the variables of its endpoints, and holds for its own page alone."""
    (tmp_path / "tenants.toml").write_text(PROFILE)
    provider = read_profile(tmp_path / "tenants.toml")

    def issuer(endpoint: str | None) -> str | None:
        return build_authorization(
            provider,
            {"providerVariables": {"tenant": "acme"}},
            client=ClientCredentials(client_id="me", client_secret=None),
            redirect_uri="http://127.0.0.1/callback",
            endpoint=endpoint,
            scope=None,
            pkce=None,
            token_host="acme.example.com",
        ).issuer

    assert "https://acme.example.com/realm" == issuer(None)
    assert issuer("https://example.com/authorize") is None


def test_a_mixed_up_redirect_ends_the_command(
    cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int
) -> None:
    """A redirect from another issuer ends the command before its code is sent anywhere."""
    someone = person(lambda url: redirected(url, code="stolen", iss="https://evil.example"))

    ended = cli(
        "authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback", "--yes"
    )

    assert (2, [400]) == (ended.code, [page.status_code for page in someone.leave().pages])
    assert "its code was not used" in ended.screen
