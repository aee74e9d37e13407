from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from testbed.provider.authorization_server import AuthorizationServer, TokenRequest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared() -> Iterator[AuthorizationServer]:
    with AuthorizationServer(access_token_seconds=3600) as server:
        yield server


@pytest.fixture
def server(shared: AuthorizationServer) -> AuthorizationServer:
    shared.revoke()
    return shared


def refresh(server: AuthorizationServer, refresh_token: str, *, basic: bool = False) -> httpx.Response:
    client_id, client_secret = server.client()
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    if basic:
        return httpx.post(server.token_endpoint, data=form, auth=(client_id, client_secret))
    return httpx.post(server.token_endpoint, data=form | {"client_id": client_id, "client_secret": client_secret})


def test_refresh(server: AuthorizationServer) -> None:
    """A refresh gives a new pair of the configured lifetime, by either way of client authentication."""
    first = server.authorize()

    second = refresh(server, first["refresh_token"]).json()
    third = refresh(server, second["refresh_token"], basic=True).json()

    assert [3600] * 3 == [pair["expires_in"] for pair in (first, second, third)]
    assert 3 == len({pair["refresh_token"] for pair in (first, second, third)})
    assert not server.accepts(second["refresh_token"])
    assert server.accepts(third["refresh_token"])


def test_grace(server: AuthorizationServer) -> None:
    """Within the grace period a used refresh token gives the same new pair again, as at Upwork."""
    first = server.authorize()["refresh_token"]

    assert refresh(server, first).json() == refresh(server, first).json()


def test_single_use() -> None:
    """Without a grace period, using a refresh token again revokes the grant that came of it."""
    with AuthorizationServer(grace_seconds=0) as server:
        first = server.authorize()["refresh_token"]
        second = refresh(server, first).json()["refresh_token"]
        assert server.accepts(second)

        assert "invalid_grant" == refresh(server, first).json()["error"]

        assert "invalid_grant" == refresh(server, second).json()["error"]
        assert not server.accepts(second)


def test_revoke(server: AuthorizationServer) -> None:
    """A revoked grant is refused, used tokens in grace included, until a person authorizes again."""
    first = server.authorize()["refresh_token"]
    second = refresh(server, first).json()["refresh_token"]

    server.revoke()

    assert [(400, "invalid_grant")] * 2 == [
        (response.status_code, response.json()["error"])
        for response in (refresh(server, first), refresh(server, second))
    ]
    assert 200 == refresh(server, server.authorize()["refresh_token"]).status_code


def test_requests(server: AuthorizationServer) -> None:
    """Token requests are counted in order, by grant type, status and error code, and nothing else of them is kept."""
    seen = len(server.requests())
    refresh(server, server.authorize()["refresh_token"])
    refresh(server, "unknown")

    assert [
        TokenRequest(grant_type="authorization_code", status=200, error=None),
        TokenRequest(grant_type="refresh_token", status=200, error=None),
        TokenRequest(grant_type="refresh_token", status=400, error="invalid_grant"),
    ] == server.requests()[seen:]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"redirect_uri": "http://127.0.0.1:40123/callback"}, 200),
        ({"redirect_uri": "http://127.0.0.1/elsewhere"}, 400),
        ({"client_id": "unknown"}, 400),
    ],
    ids=["registered", "any loopback port", "other path", "unknown client"],
)
def test_consent_page(server: AuthorizationServer, asked: dict[str, Any], status: int) -> None:
    """A browser is shown a page that asks for consent, for registered redirect URIs on every loopback port."""
    parameters = {
        "response_type": "code",
        "client_id": server.client()[0],
        "redirect_uri": "http://127.0.0.1/callback",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }

    page = httpx.get(server.authorization_endpoint, params=parameters | asked)

    assert status == page.status_code
    assert (status == 200) == ('name="allow"' in page.text)
