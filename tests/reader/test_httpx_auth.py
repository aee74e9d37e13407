"""httpx with the reader's auth, sync and async, against a real API and a real store."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from reader.surroundings import Api, Clock, Store, at_once
from token_refresh.reader import SecretNotFound, TokenReader
from token_refresh.reader.httpx_auth import TokenAuth


@pytest.fixture
def client(tokens: TokenReader, api: Api) -> Iterator[httpx.Client]:
    with httpx.Client(auth=TokenAuth(tokens), base_url=api.url) as made:
        yield made


def test_token_is_added(store: Store, api: Api, client: httpx.Client) -> None:
    """Each request carries the token that is current."""
    store.put("one")
    api.accepted = {"one"}
    assert 200 == client.get("/").status_code
    assert ["one"] == api.bearers


def test_request_is_repeated_once_with_the_new_token(store: Store, api: Api, client: httpx.Client) -> None:
    """After a 401 a request is sent once more, whole, if another token is current by then."""
    store.put("one")
    api.accepted = {"one"}
    client.get("/")
    store.put("two")
    api.accepted = {"two"}
    response = client.post("/", json={"a": 1})
    assert (200, [401]) == (response.status_code, [old.status_code for old in response.history])
    assert ["one", "one", "two"] == api.bearers
    assert api.bodies[1] == api.bodies[2] == b'{"a":1}'


def test_real_401_is_handed_on(store: Store, api: Api, client: httpx.Client) -> None:
    """Where no other token is stored, the caller gets the 401, and a second one costs no further read."""
    store.put("one")
    assert [401, 401] == [client.get("/").status_code for _ in range(2)]
    assert (["one", "one"], 2) == (api.bearers, store.reads)


def test_second_401_is_handed_on(store: Store, api: Api, client: httpx.Client, tokens: TokenReader) -> None:
    """If the API rejects the new token too, there is no third request."""
    store.put("one")
    tokens.get()
    store.put("two")
    assert 401 == client.get("/").status_code
    assert ["one", "two"] == api.bearers


def test_other_responses_are_left_alone(store: Store, api: Api, client: httpx.Client) -> None:
    """Only a 401 says something about the token."""
    store.put("one")
    api.respond = lambda path, bearer, body: (403, {}, b"")  # type: ignore[method-assign] # noqa: ARG005 - a refusal of another kind
    assert 403 == client.get("/").status_code
    assert 1 == store.reads


def test_fifty_401s_make_one_read(store: Store, api: Api, client: httpx.Client, tokens: TokenReader) -> None:
    """Fifty threads whose requests are refused make one read between them, and all succeed."""
    store.put("one")
    tokens.get()
    store.put("two")
    api.accepted = {"two"}
    assert [200] * 50 == at_once(50, lambda: client.get("/").status_code)
    assert 2 == store.reads


@pytest.mark.parametrize("kind", ["generator", "file"])
def test_body_that_can_be_sent_once_is_not_repeated(
    store: Store, api: Api, client: httpx.Client, tmp_path: Path, kind: str
) -> None:
    """A streamed body isn't sent a second time, half or empty; the next request has the new token."""
    store.put("one")
    api.accepted = {"one"}
    client.get("/")
    store.put("two")
    api.accepted = {"two"}
    upload = tmp_path / "upload"
    upload.write_bytes(b"part")
    with upload.open("rb") as file:
        content = (part for part in [b"part"]) if kind == "generator" else file
        assert 401 == client.post("/", content=content).status_code
    assert [b"part"] == api.bodies[1:]
    assert 200 == client.get("/").status_code


@pytest.mark.parametrize("asynchronous", [False, True])
def test_streamed_body_is_repeated_on_demand(
    store: Store, api: Api, tokens: TokenReader, *, asynchronous: bool
) -> None:
    """With `requires_request_body` a stream is read into memory first, and so can be repeated."""
    store.put("one")
    tokens.get()
    store.put("two")
    api.accepted = {"two"}
    auth = TokenAuth(tokens)
    auth.requires_request_body = True

    async def stream() -> AsyncIterator[bytes]:
        yield b"part"

    async def post() -> int:
        async with httpx.AsyncClient(auth=auth) as client:
            return (await client.post(api.url, content=stream())).status_code

    if asynchronous:
        assert 200 == asyncio.run(post())
    else:
        assert 200 == httpx.post(api.url, content=(part for part in [b"part"]), auth=auth).status_code
    assert [b"part", b"part"] == api.bodies


def test_async_client(store: Store, api: Api, tokens: TokenReader, clock: Clock) -> None:
    """The async client does the same: fifty tasks whose token is refused make one read, and all succeed."""
    store.put("one")
    api.accepted = {"one"}

    async def main() -> None:
        async with httpx.AsyncClient(auth=TokenAuth(tokens), base_url=api.url) as client:
            assert 200 == (await client.get("/")).status_code
            store.put("two")
            api.accepted = {"two"}
            responses = await asyncio.gather(*(client.get("/") for _ in range(50)))
            assert {200} == {response.status_code for response in responses}
            assert 2 == store.reads
            api.accepted = set()
            clock.advance(60)
            assert 401 == (await client.get("/")).status_code

    asyncio.run(main())


def test_token_never_follows_a_redirect_to_another_host(store: Store, api: Api, tokens: TokenReader) -> None:
    """A redirect to another origin gets no token, neither at once nor after its own 401."""
    store.put("one")
    with Api() as other_host:
        api.redirects["/"] = other_host.url
        with httpx.Client(auth=TokenAuth(tokens), follow_redirects=True) as client:
            assert 401 == client.get(api.url).status_code
        assert [None] == other_host.bearers


def test_no_token_no_request(api: Api, client: httpx.Client) -> None:
    """Without a valid token nothing is sent, and the caller gets the reader's error."""
    with pytest.raises(SecretNotFound):
        client.get("/")
    assert [] == api.seen
