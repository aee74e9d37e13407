"""requests with the reader's auth, against a real API and a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from reader.surroundings import Api, Store, at_once
from token_refresh.reader import SecretNotFound, TokenReader
from token_refresh.reader.requests_auth import TokenAuth


@pytest.fixture
def session(tokens: TokenReader) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.auth = TokenAuth(tokens)
        yield made


@pytest.fixture
def replaced(store: Store, api: Api, tokens: TokenReader) -> None:
    """The reader has a token that the API rejects; its successor is stored."""
    store.put("one")
    tokens.get()
    store.put("two")
    api.accepted = {"two"}


def test_token_is_added(store: Store, api: Api, session: requests.Session) -> None:
    """Each request carries the token that is current."""
    store.put("one")
    api.accepted = {"one"}
    assert 200 == session.get(api.url).status_code
    assert ["one"] == api.bearers


@pytest.mark.usefixtures("replaced")
def test_request_is_repeated_once_with_the_new_token(api: Api, session: requests.Session) -> None:
    """After a 401 a request is sent once more, whole, if another token is current by then."""
    response = session.post(api.url, json={"a": 1})
    assert (200, [401]) == (response.status_code, [old.status_code for old in response.history])
    assert ["one", "two"] == api.bearers
    assert [b'{"a": 1}'] * 2 == api.bodies
    assert "Bearer two" == response.request.headers["Authorization"]


def test_real_401_is_handed_on(store: Store, api: Api, session: requests.Session) -> None:
    """If no other token is stored, the caller gets the 401, and a second one costs no read."""
    store.put("one")
    assert [401, 401] == [session.get(api.url).status_code for _ in range(2)]
    assert (["one", "one"], 2) == (api.bearers, store.reads)


@pytest.mark.usefixtures("replaced")
def test_second_401_is_handed_on(api: Api, session: requests.Session) -> None:
    """If the API rejects the new token too, there is no third request."""
    api.accepted = set()
    assert 401 == session.get(api.url).status_code
    assert ["one", "two"] == api.bearers


@pytest.mark.usefixtures("replaced")
def test_fifty_401s_make_one_read(store: Store, api: Api, tokens: TokenReader) -> None:
    """Fifty threads whose requests are rejected share one read, and all succeed."""
    auth = TokenAuth(tokens)
    assert [200] * 50 == at_once(50, lambda: requests.get(api.url, auth=auth, timeout=10).status_code)
    assert 2 == store.reads


@pytest.mark.usefixtures("replaced")
def test_file_is_rewound(api: Api, session: requests.Session, tmp_path: Path) -> None:
    """An open file is sent again from the same position."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"skipped part")
    with upload.open("rb") as file:
        file.seek(8)
        assert 200 == session.post(api.url, data=file).status_code
    assert [b"part", b"part"] == api.bodies


@pytest.mark.usefixtures("replaced")
def test_generator_is_not_repeated(api: Api, session: requests.Session) -> None:
    """A body that can be sent only once isn't sent again; the next request has the new token."""
    assert 401 == session.post(api.url, data=(part for part in [b"part"])).status_code
    assert [b"part"] == api.bodies
    assert 200 == session.get(api.url).status_code


@pytest.mark.usefixtures("replaced")
def test_upload_of_files_is_repeated(api: Api, session: requests.Session) -> None:
    """A multipart upload, which requests holds in memory, is sent again whole."""
    assert 200 == session.post(api.url, files={"file": b"part"}).status_code
    assert api.bodies[0] == api.bodies[1]
    assert b"part" in api.bodies[1]


@pytest.mark.usefixtures("replaced")
def test_token_never_follows_a_redirect_to_another_host(api: Api, session: requests.Session) -> None:
    """A redirect to another host gets no token, neither at once nor after its own 401."""
    with Api() as other_host:
        api.redirects["/"] = other_host.url.replace("127.0.0.1", "localhost")
        assert 401 == session.get(api.url).status_code
        assert [None] == other_host.bearers


@pytest.mark.usefixtures("replaced")
def test_redirect_on_the_same_host(api: Api, session: requests.Session) -> None:
    """After a redirect on the API's host, a rejected token is replaced, too."""
    api.redirects["/"] = "/there"
    assert 200 == session.get(api.url).status_code
    assert ["one", "one", "two"] == api.bearers


def test_no_token_no_request(api: Api, session: requests.Session) -> None:
    """Without a valid token nothing is sent, and the caller gets the reader's error."""
    with pytest.raises(SecretNotFound):
        session.get(api.url)
    assert [] == api.seen


def test_hook_shows_no_token(store: Store, api: Api, session: requests.Session) -> None:
    """The hook that waits for the response is part of the request, and its `repr` masks the token."""
    store.put("canary")
    prepared = session.prepare_request(requests.Request("GET", api.url))
    assert "Bearer canary" == prepared.headers["Authorization"]
    assert "Token(" in repr(prepared.hooks)
    assert "canary" not in repr(prepared.hooks)
