"""Scripted answers: what the endpoint plays instead of the grant's own answer."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from testbed.callers.token_endpoint import refresh
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint


@pytest.mark.parametrize(
    ("to_play", "status"),
    [
        (script.status(503, headers={"Retry-After": "7"}), 503),
        (script.error("invalid_scope"), 400),
        (script.redirect("http://127.0.0.1:9/"), 307),
        (script.html(403), 403),
        (script.raw(b"HTTP/1.1 200 OK\r\n\r\nnot JSON"), 200),
    ],
    ids=["unavailable", "error", "redirect", "html", "raw"],
)
def test_scripted_answer(endpoint: TokenEndpoint, to_play: script.Script, status: int) -> None:
    """A scripted answer goes out as it is and redeems nothing; the next request is the grant's again."""
    first = endpoint.grant.authorize()["refresh_token"]
    endpoint.play(to_play)

    assert status == refresh(endpoint, first).status_code
    assert 0 == endpoint.grant.redemptions
    assert 200 == refresh(endpoint, first).status_code
    assert [status, 200] == [request.status for request in endpoint.requests]


def test_compressed(endpoint: TokenEndpoint) -> None:
    """A compressed answer may be far larger than what was sent."""
    endpoint.play(script.gzipped(b" " * 10_000_000))

    response = refresh(endpoint, "any")

    assert 10_000_000 == len(response.content)
    assert response.num_bytes_downloaded < 10_000


@pytest.mark.parametrize(
    ("to_play", "redeemed", "error"),
    [
        (script.close(), False, httpx.RemoteProtocolError),
        (script.close(commit=True), True, httpx.RemoteProtocolError),
        (script.truncated(commit=True), True, httpx.RemoteProtocolError),
        (script.hang(), False, httpx.ReadTimeout),
        (script.hang(commit=True), True, httpx.ReadTimeout),
    ],
    ids=["close", "commit and close", "commit and cut off", "hang", "commit and hang"],
)
def test_lost_answer(
    endpoint: TokenEndpoint, to_play: script.Script, *, redeemed: bool, error: type[httpx.HTTPError]
) -> None:
    """An answer can be lost before or after the grant has redeemed, and the endpoint tells which."""
    first = endpoint.grant.authorize()["refresh_token"]
    endpoint.play(to_play)

    data = {"grant_type": "refresh_token", "refresh_token": first, "client_id": endpoint.client_id}
    with pytest.raises(error):
        httpx.post(endpoint.url, data=data | {"client_secret": endpoint.client_secret}, timeout=0.2)

    assert [redeemed] == [request.redeemed for request in endpoint.requests]
    assert redeemed != endpoint.grant.accepts(first)


def test_closed_unread(endpoint: TokenEndpoint) -> None:
    """A connection closed before the request was read counts as a connection, not as a request."""
    endpoint.play(script.close(read=False))

    with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
        refresh(endpoint, "any")

    assert (1, []) == (endpoint.connections, endpoint.requests)


def test_drip(endpoint: TokenEndpoint) -> None:
    """A dripping answer comes whole in the end, in single bytes."""
    endpoint.play(script.drip(0.0001))

    with httpx.stream("POST", endpoint.url, data={"client_id": "x"}) as response:
        chunks = list(response.iter_raw())

    assert {"error": "invalid_client"} == json.loads(b"".join(chunks))
    assert len(chunks) > 1


@pytest.mark.parametrize(("point", "redemptions"), [("before_commit", 0), ("after_commit", 1)])
def test_hold(endpoint: TokenEndpoint, point: script.Point, redemptions: int) -> None:
    """A held request stops before or after the redemption, for as long as the test wants."""
    first = endpoint.grant.authorize()["refresh_token"]
    endpoint.play(script.hold(point))

    with ThreadPoolExecutor() as pool:
        response = pool.submit(refresh, endpoint, first)
        endpoint.wait_until_held()
        assert redemptions == endpoint.grant.redemptions
        assert not response.done()
        endpoint.release()

        assert 200 == response.result().status_code
    assert 1 == endpoint.grant.redemptions
