from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from testbed.provider.authorization_server import AuthorizationServer

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
