"""The endpoint's grant, its clients, and the endpoint as a process of its own."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from testbed.callers.token_endpoint import refresh
from testbed.process import Child
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint


@pytest.fixture
def graceful() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as endpoint:
        yield endpoint


def test_single_use(endpoint: TokenEndpoint) -> None:
    """At a single-use provider a refresh token gives a new pair once, and its reuse ends the whole grant."""
    first = endpoint.grant.authorize()["refresh_token"]

    second = refresh(endpoint, first).json()["refresh_token"]
    assert endpoint.grant.accepts(second)
    assert "invalid_grant" == refresh(endpoint, first).json()["error"]

    assert not endpoint.grant.alive
    assert "invalid_grant" == refresh(endpoint, second).json()["error"]
    assert [True, False, False] == [request.redeemed for request in endpoint.requests]


def test_grace(graceful: TokenEndpoint) -> None:
    """At a provider with grace a spent refresh token stays good until the grace is over; the newest outlives it."""
    first = graceful.grant.authorize()["refresh_token"]
    assert 200 == refresh(graceful, first).status_code
    newest = refresh(graceful, first).json()["refresh_token"]

    graceful.grant.end_grace()

    assert "invalid_grant" == refresh(graceful, first).json()["error"]
    assert graceful.grant.alive
    assert 200 == refresh(graceful, newest).status_code


def test_static() -> None:
    """A provider that never changes the refresh token accepts it again and again, and doesn't repeat it."""
    with TokenEndpoint(reuse="static") as endpoint:
        first = endpoint.grant.authorize()["refresh_token"]

        assert ["access_token", "token_type", "expires_in"] == list(refresh(endpoint, first).json())
        assert 200 == refresh(endpoint, first).status_code
        assert 2 == endpoint.grant.redemptions


def test_authorize_again(endpoint: TokenEndpoint) -> None:
    """A revoked grant refuses until it is authorized again, which leaves its old tokens dead."""
    old = endpoint.grant.authorize()["refresh_token"]
    endpoint.grant.revoke()
    assert "invalid_grant" == refresh(endpoint, old).json()["error"]

    new = endpoint.grant.authorize()["refresh_token"]

    assert endpoint.grant.accepts(new)
    assert not endpoint.grant.accepts(old)


def test_threads(endpoint: TokenEndpoint) -> None:
    """Of many requests at once with one single-use token, exactly one redeems it, and the grant is gone."""
    first = endpoint.grant.authorize()["refresh_token"]
    requests = 8
    endpoint.play(*[script.hold("before_commit")] * requests)

    with ThreadPoolExecutor(requests) as pool:
        responses = [pool.submit(refresh, endpoint, first) for _ in range(requests)]
        for _ in range(requests):
            endpoint.wait_until_held()
        assert requests == endpoint.most_in_flight
        for _ in range(requests):
            endpoint.release()
        statuses = sorted(response.result().status_code for response in responses)

    assert [200] + [400] * (requests - 1) == statuses
    assert 1 == endpoint.grant.redemptions
    assert not endpoint.grant.alive


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        ({"client_secret": "wrong"}, None, 401, "invalid_client"),
        ({}, ("user", "password"), 400, "invalid_request"),
        ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
    ],
    ids=["wrong client secret", "two client authentication methods", "other grant type"],
)
def test_refused(
    endpoint: TokenEndpoint, form: dict[str, str], auth: tuple[str, str] | None, status: int, error: str
) -> None:
    """What RFC 6749 forbids is refused with the code of its section 5.2, and redeems nothing."""
    first = endpoint.grant.authorize()["refresh_token"]
    data = {"grant_type": "refresh_token", "refresh_token": first, "client_id": endpoint.client_id}

    response = httpx.post(endpoint.url, data=data | {"client_secret": endpoint.client_secret} | form, auth=auth)

    assert (status, error) == (response.status_code, response.json()["error"])
    assert endpoint.grant.accepts(first)


def test_basic(endpoint: TokenEndpoint) -> None:
    """A client may authenticate in the header instead of the body."""
    data = {"grant_type": "refresh_token", "refresh_token": endpoint.grant.authorize()["refresh_token"]}

    response = httpx.post(endpoint.url, data=data, auth=(endpoint.client_id, endpoint.client_secret))

    assert 200 == response.status_code
    assert ["client_secret_basic"] == [request.client_authentication for request in endpoint.requests]


def test_public_client() -> None:
    """A public client names itself and has no secret."""
    with TokenEndpoint(public_client=True) as endpoint:
        first = endpoint.grant.authorize()["refresh_token"]
        data = {"grant_type": "refresh_token", "refresh_token": first, "client_id": endpoint.client_id}

        assert 200 == httpx.post(endpoint.url, data=data).status_code
        assert ["none"] == [request.client_authentication for request in endpoint.requests]


def test_secrets(endpoint: TokenEndpoint) -> None:
    """Every token ever issued is known, for canary tests; a failed assertion that prints the requests shows none."""
    first = endpoint.grant.authorize()
    second = refresh(endpoint, first["refresh_token"]).json()

    issued = {pair[name] for pair in (first, second) for name in ("access_token", "refresh_token")}

    assert issued == set(endpoint.grant.secrets)
    shown = repr((endpoint.requests, endpoint.grant))
    assert not any(value in shown for value in (*issued, endpoint.client_secret))


def test_own_process() -> None:
    """Run as a process of its own, the endpoint is scripted and asked over its control port."""
    with Child("testbed.provider.token_endpoint", "--reuse", "grace") as child:

        def control(path: str, body: Any = None) -> Any:
            return httpx.request(
                "GET" if path in {"/state", "/client"} else "POST", f"{address}{path}", json=body
            ).json()

        address, url = child.announced["control"], child.announced["url"]
        form = control("/client") | {"grant_type": "refresh_token"}
        form["refresh_token"] = control("/authorize")["refresh_token"]
        answer = base64.b64encode(b"HTTP/1.1 502 Bad\r\n\r\n").decode()
        control("/play", [{"answer": answer, "commit": True}])

        assert [502, 200] == [httpx.post(url, data=form).status_code for _ in range(2)]
        control("/revoke")
        assert 400 == httpx.post(url, data=form).status_code
        state = control("/state")

    assert [(502, True), (200, True), (400, False)] == [(r["status"], r["redeemed"]) for r in state["requests"]]
    assert (3, 2, False) == (state["connections"], state["redemptions"], state["alive"])
