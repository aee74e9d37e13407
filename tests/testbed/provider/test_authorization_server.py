from collections.abc import Iterator

import httpx
import pytest

from testbed.provider.authorization_server import AuthorizationServer


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


def test_a_gateway_fails_before_or_after(server: AuthorizationServer) -> None:
    """A gateway's 503 before the endpoint leaves the token unused; one after it takes the new tokens away."""
    first = server.authorize()["refresh_token"]

    for when, unused in (("before", True), ("after", False)):
        server.fail_next(when)  # type: ignore[arg-type]  # the two that there are
        assert 503 == refresh(server, first).status_code
        assert unused is server.accepts(first)

    assert server.accepts()
    assert 200 == refresh(server, first).status_code


def test_grace_ends_as_time_passes(server: AuthorizationServer) -> None:
    """After a day a used token is rejected; the new one lives, and its access token has expired."""
    first = server.authorize()["refresh_token"]
    second = refresh(server, first).json()

    server.let_pass(86_401)

    assert "invalid_grant" == refresh(server, first).json()["error"]
    assert server.accepts(second["refresh_token"])
    assert 401 == server.api_status(second["access_token"])


def test_a_refresh_token_that_never_changes() -> None:
    """As at Google: each refresh returns the same refresh token."""
    with AuthorizationServer(rotates=False) as server:
        first = server.authorize()["refresh_token"]

        assert first == refresh(server, first).json()["refresh_token"]


def test_single_use() -> None:
    """Without a grace period, using a refresh token again revokes the grant that came of it."""
    with AuthorizationServer(grace_seconds=0) as server:
        first = server.authorize()["refresh_token"]
        second = refresh(server, first).json()["refresh_token"]
        assert server.accepts(second)

        assert "invalid_grant" == refresh(server, first).json()["error"]

        assert "invalid_grant" == refresh(server, second).json()["error"]
        assert not server.accepts(second)
