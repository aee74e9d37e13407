"""httpx and requests with the reader's auth, against a real API and a real store: what holds for both, and for each."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import requests

from testbed.reader_surroundings import Api, Store
from token_refresh.reader import SecretNotFound, TokenReader
from token_refresh.reader.httpx2_auth import TokenAuth as Httpx2Auth
from token_refresh.reader.httpx_auth import TokenAuth as HttpxAuth
from token_refresh.reader.requests_auth import TokenAuth as RequestsAuth

LIBRARIES: dict[str, tuple[Any, Any]] = {"httpx": (httpx, HttpxAuth), "httpx2": (httpx2, Httpx2Auth)}
each_httpx = pytest.mark.parametrize(("library", "auth_of"), LIBRARIES.values(), ids=[*LIBRARIES])


@pytest.fixture(params=[*LIBRARIES, "requests"])
def client(request: pytest.FixtureRequest, tokens: TokenReader) -> Iterator[Any]:
    if request.param in LIBRARIES:
        library, auth_of = LIBRARIES[request.param]
        with library.Client(auth=auth_of(tokens), follow_redirects=True) as made:
            yield made
    else:
        with requests.Session() as session:
            session.auth = RequestsAuth(tokens)
            yield session


@pytest.mark.usefixtures("replaced")
def test_request_is_repeated_once_with_the_new_token(api: Api, client: Any) -> None:
    """After a 401 a request is sent once more, whole, if another token is current by then."""
    response = client.post(api.url, json={"a": 1})
    assert (200, [401]) == (response.status_code, [old.status_code for old in response.history])
    assert ["one", "two"] == api.bearers
    assert [{"a": 1}] * 2 == [json.loads(body) for body in api.bodies]
    assert "Bearer two" == response.request.headers["Authorization"]


def test_what_is_handed_on(store: Store, api: Api, client: Any) -> None:
    """If no other token is stored, or the API rejects that, too, the caller gets the 401; only a 401 costs a read."""
    store.put("one")
    assert [401, 401] == [client.get(api.url).status_code for _ in range(2)]
    assert (["one", "one"], 2) == (api.bearers, store.reads)
    store.put("two")
    store.clock.advance(60)
    assert 401 == client.get(api.url).status_code
    assert (["one", "two"], 3) == (api.bearers[2:], store.reads)
    api.respond = lambda path, bearer, body: (403, {}, b"")  # type: ignore[method-assign] # noqa: ARG005 - a refusal of another kind
    assert 403 == client.get(api.url).status_code
    assert 3 == store.reads


def test_no_token_no_request(api: Api, client: Any) -> None:
    """Without a valid token nothing is sent, and the caller gets the reader's error."""
    with pytest.raises(SecretNotFound):
        client.get(api.url)
    assert [] == api.seen


@each_httpx
@pytest.mark.usefixtures("replaced")
def test_file_is_not_repeated(library: Any, auth_of: Any, api: Api, tokens: TokenReader, tmp_path: Path) -> None:
    """An open file isn't sent a second time, half or empty."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"part")
    with upload.open("rb") as file:
        assert 401 == library.post(api.url, content=file, auth=auth_of(tokens)).status_code
    assert [b"part"] == api.bodies


@pytest.mark.usefixtures("replaced")
@each_httpx
@pytest.mark.parametrize("asynchronous", [False, True])
def test_streamed_body_is_repeated_on_demand(
    library: Any, auth_of: Any, api: Api, tokens: TokenReader, *, asynchronous: bool
) -> None:
    """With `requires_request_body` a stream is read into memory first, and so can be repeated."""
    auth = auth_of(tokens)
    auth.requires_request_body = True

    async def stream() -> AsyncIterator[bytes]:
        yield b"part"

    async def post() -> int:
        async with library.AsyncClient(auth=auth) as client:
            return int((await client.post(api.url, content=stream())).status_code)

    if asynchronous:
        assert 200 == asyncio.run(post())
    else:
        assert 200 == library.post(api.url, content=(part for part in [b"part"]), auth=auth).status_code
    assert [b"part", b"part"] == api.bodies


@each_httpx
def test_async_client(library: Any, auth_of: Any, store: Store, api: Api, tokens: TokenReader) -> None:
    """The async client does the same: fifty tasks whose token is refused make one read, and all succeed."""
    store.put("one")
    api.accepted = {"one"}

    async def main() -> None:
        async with library.AsyncClient(auth=auth_of(tokens), base_url=api.url) as client:
            assert 200 == (await client.get("/")).status_code
            store.put("two")
            api.accepted = {"two"}
            responses = await asyncio.gather(*(client.get("/") for _ in range(50)))
            assert {200} == {response.status_code for response in responses}
            assert 2 == store.reads
            api.accepted = set()
            store.clock.advance(60)
            assert 401 == (await client.get("/")).status_code

    asyncio.run(main())


@pytest.fixture
def session(tokens: TokenReader) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.auth = RequestsAuth(tokens)
        yield made


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
def test_a_stream_is_not_sent_again(api: Api, session: requests.Session) -> None:
    """A body that can be read once is sent once, and the caller gets the rejection."""
    assert 401 == session.post(api.url, data=iter([b"part"])).status_code
    assert 1 == len(api.bodies)


@pytest.mark.usefixtures("replaced")
def test_upload_of_files_is_repeated(api: Api, session: requests.Session) -> None:
    """A multipart upload, which requests holds in memory, is sent again whole."""
    assert 200 == session.post(api.url, files={"file": b"part"}).status_code
    assert api.bodies[0] == api.bodies[1]
    assert b"part" in api.bodies[1]


def test_hook_shows_no_token(store: Store, api: Api, session: requests.Session) -> None:
    """The hook that waits for the response is part of the request, and its `repr` masks the token."""
    store.put("canary")
    prepared = session.prepare_request(requests.Request("GET", api.url))
    assert "Bearer canary" == prepared.headers["Authorization"]
    assert "Token(" in repr(prepared.hooks)
    assert "canary" not in repr(prepared.hooks)
