"""The endpoint's grant, and what it plays by script instead."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from testbed.provider import script
from testbed.provider.customers import Customers
from testbed.provider.token_endpoint import ReceivedRequest, TokenEndpoint


def refresh(endpoint: TokenEndpoint, refresh_token: str) -> httpx.Response:
    credentials = {"client_id": endpoint.client_id, "client_secret": endpoint.client_secret}
    data = {"grant_type": "refresh_token", "refresh_token": refresh_token, **credentials}
    return httpx.post(endpoint.url, data=data, timeout=30)


@pytest.fixture
def graceful() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as endpoint:
        yield endpoint


def test_grace(graceful: TokenEndpoint) -> None:
    """At a provider with grace a used refresh token stays good until the grace is over; the newest outlives it."""
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


def test_secrets(endpoint: TokenEndpoint) -> None:
    """Every token ever issued is known, for canary tests; a failed assertion that prints the requests shows none."""
    first = endpoint.grant.authorize()
    second = refresh(endpoint, first["refresh_token"]).json()

    issued = {pair[name] for pair in (first, second) for name in ("access_token", "refresh_token")}

    assert issued == set(endpoint.grant.secrets)
    shown = repr((endpoint.requests, endpoint.grant))
    assert not any(value in shown for value in (*issued, endpoint.client_secret))


@pytest.mark.parametrize(
    ("to_play", "redeemed", "error"),
    [
        (script.close(), False, httpx.RemoteProtocolError),
        (script.close(commit=True), True, httpx.RemoteProtocolError),
        (script.truncated(commit=True), True, httpx.RemoteProtocolError),
        (script.hang(commit=True), True, httpx.ReadTimeout),
    ],
    ids=["close", "commit and close", "commit and cut off", "commit and hang"],
)
def test_lost_response(
    endpoint: TokenEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    to_play: script.Script,
    *,
    redeemed: bool,
    error: type[httpx.HTTPError],
) -> None:
    """A response can be lost before or after the grant has redeemed, and the endpoint knows which."""
    first = endpoint.grant.authorize()["refresh_token"]
    endpoint.play(to_play)
    recorded, record = threading.Event(), endpoint.record

    def note(request: ReceivedRequest) -> None:
        record(request)
        recorded.set()

    monkeypatch.setattr(endpoint, "record", note)
    limit = httpx.Timeout(60, read=0.1 if error is httpx.ReadTimeout else 60)

    data = {"grant_type": "refresh_token", "refresh_token": first, "client_id": endpoint.client_id}
    with pytest.raises(error):
        httpx.post(endpoint.url, data=data | {"client_secret": endpoint.client_secret}, timeout=limit)
    assert recorded.wait(60)

    assert [redeemed] == [request.redeemed for request in endpoint.requests]
    assert redeemed != endpoint.grant.accepts(first)


@pytest.mark.parametrize(("point", "redemptions"), [("before_commit", 0), ("after_commit", 1)])
def test_hold(endpoint: TokenEndpoint, point: script.Point, redemptions: int) -> None:
    """A held request stops before or after the redemption, for as long as the test wants."""
    first = endpoint.grant.authorize()["refresh_token"]
    endpoint.play(script.hold(point))

    with ThreadPoolExecutor() as pool:
        response = pool.submit(refresh, endpoint, first)
        endpoint.wait_until_held()
        assert (redemptions, False) == (endpoint.grant.redemptions, response.done())
        endpoint.release()

        assert 200 == response.result().status_code


def test_each_customer_has_a_grant() -> None:
    """Reuse of one customer's refresh token revokes that customer's grant alone."""
    with Customers(reuse="revokes") as provider:
        first, second = (provider.authorize()["refresh_token"] for _ in range(2))
        renewed = refresh(provider, first).json()["refresh_token"]

        assert [400, 400] == [refresh(provider, token).status_code for token in (first, renewed)]

        assert provider.grant.accepts(second)
        assert not provider.grant.accepts(renewed)
        assert not provider.grant.accepts("unknown")
        assert 400 == refresh(provider, "unknown").status_code
        assert 1 == provider.grant.redemptions
        assert {first, second, renewed} <= set(provider.grant.secrets)
