"""How `fastapi_service.py` is tested: `pytest examples/test_fastapi_service.py`. It needs neither AWS nor a network."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from fastapi.testclient import TestClient
from fastapi_service import create_app

from token_refresh.reader import SecretAccessDenied
from token_refresh.testing import FakeTokenReader

ME = {"data": {"user": {"id": "1"}}}


def service(tokens: FakeTokenReader, upwork: Callable[[httpx.Request], httpx.Response]) -> TestClient:
    """Start the service with a fake of the reader and of Upwork."""
    return TestClient(create_app(tokens, httpx.MockTransport(upwork)))


def test_it_goes_on_after_a_refresh() -> None:
    """A rejected token is replaced by the one that the worker has stored meanwhile."""
    tokens = FakeTokenReader("old")

    def upwork(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer new":
            return httpx.Response(200, json=ME)
        tokens.refresh("new")  # as the worker would
        return httpx.Response(401)

    with service(tokens, upwork) as client:
        assert client.get("/me").json() == ME
    assert tokens.rejected == ["old"]


def test_without_a_token_it_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Clients get 503 and the kind of error; the log has the whole message."""
    tokens = FakeTokenReader()
    tokens.fail(SecretAccessDenied("secretsmanager:GetSecretValue was denied"))

    with service(tokens, lambda _request: httpx.Response(200)) as client:
        response = client.get("/me")
        assert (response.status_code, response.json()) == (503, {"detail": "no Upwork token: SecretAccessDenied"})
        assert client.get("/health").json()["last_error"] == "SecretAccessDenied"
    assert "SecretAccessDenied: secretsmanager:GetSecretValue was denied" in caplog.text


def test_what_upwork_refuses_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A real 401, an error and no response at all are 502, and the log says which it was."""

    def down(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    with service(FakeTokenReader(), lambda _request: httpx.Response(401)) as client:
        assert client.get("/me").status_code == 502
    with service(FakeTokenReader(), down) as client:
        assert client.get("/me").status_code == 502
    assert "Upwork responded with 401" in caplog.text
    assert "ConnectError: connection refused" in caplog.text
    assert "fake-access-token" not in caplog.text


def test_health() -> None:
    """The health check reads, says how long the token lives, and fails while there is no valid one."""
    tokens = FakeTokenReader(lifetime=timedelta(hours=1))

    with service(tokens, lambda _request: httpx.Response(200, json=ME)) as client:
        response = client.get("/health")
        assert response.status_code == 200
        assert 3500 < response.json()["seconds_to_expiry"] <= 3600
        tokens.refresh("expired", lifetime=timedelta())
        assert client.get("/health").status_code == 503
        tokens.fail(SecretAccessDenied("denied"))
        response = client.get("/health")
        assert (response.status_code, response.json()["last_error"]) == (503, "SecretAccessDenied")
        tokens.refresh("new")  # no request to /me is needed
        assert client.get("/health").status_code == 200
