"""httpx and requests with the reader's auth, against a real API and a real store: what holds for both."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests

from testbed.reader_surroundings import Api, Store, at_once
from token_refresh.reader import SecretNotFound, TokenReader
from token_refresh.reader.httpx_auth import TokenAuth as HttpxAuth
from token_refresh.reader.requests_auth import TokenAuth as RequestsAuth


@pytest.fixture(params=["httpx", "requests"])
def client(request: pytest.FixtureRequest, tokens: TokenReader) -> Iterator[Any]:
    if request.param == "httpx":
        with httpx.Client(auth=HttpxAuth(tokens), follow_redirects=True) as made:
            yield made
    else:
        with requests.Session() as session:
            session.auth = RequestsAuth(tokens)
            yield session


def test_token_is_added(store: Store, api: Api, client: Any) -> None:
    """Each request carries the token that is current."""
    store.put("one")
    api.accepted = {"one"}
    assert 200 == client.get(api.url).status_code
    assert ["one"] == api.bearers


@pytest.mark.usefixtures("replaced")
def test_request_is_repeated_once_with_the_new_token(api: Api, client: Any) -> None:
    """After a 401 a request is sent once more, whole, if another token is current by then."""
    response = client.post(api.url, json={"a": 1})
    assert (200, [401]) == (response.status_code, [old.status_code for old in response.history])
    assert ["one", "two"] == api.bearers
    assert [{"a": 1}] * 2 == [json.loads(body) for body in api.bodies]
    assert "Bearer two" == response.request.headers["Authorization"]


def test_real_401_is_handed_on(store: Store, api: Api, client: Any) -> None:
    """If no other token is stored, the caller gets the 401, and a second one costs no read."""
    store.put("one")
    assert [401, 401] == [client.get(api.url).status_code for _ in range(2)]
    assert (["one", "one"], 2) == (api.bearers, store.reads)


@pytest.mark.usefixtures("replaced")
def test_second_401_is_handed_on(api: Api, client: Any) -> None:
    """If the API rejects the new token too, there is no third request."""
    api.accepted = set()
    assert 401 == client.get(api.url).status_code
    assert ["one", "two"] == api.bearers


def test_other_responses_are_left_alone(store: Store, api: Api, client: Any) -> None:
    """Only a 401 says something about the token."""
    store.put("one")
    api.respond = lambda path, bearer, body: (403, {}, b"")  # type: ignore[method-assign] # noqa: ARG005 - a refusal of another kind
    assert 403 == client.get(api.url).status_code
    assert 1 == store.reads


@pytest.mark.usefixtures("replaced")
@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_fifty_401s_make_one_read(store: Store, api: Api, tokens: TokenReader, library: str) -> None:
    """Fifty threads whose requests are rejected share one read, and all succeed."""
    with httpx.Client(auth=HttpxAuth(tokens)) as shared:
        auth = RequestsAuth(tokens)
        get = shared.get if library == "httpx" else lambda url: requests.get(url, auth=auth, timeout=60)
        assert [200] * 50 == at_once(50, lambda: get(api.url).status_code)
    assert 2 == store.reads


def test_no_token_no_request(api: Api, client: Any) -> None:
    """Without a valid token nothing is sent, and the caller gets the reader's error."""
    with pytest.raises(SecretNotFound):
        client.get(api.url)
    assert [] == api.seen
