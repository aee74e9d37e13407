"""httpx with the reader's auth, sync and async: what test_auth.py doesn't say of both libraries."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from testbed.reader_surroundings import Api, Clock, Store
from token_refresh.reader import TokenReader
from token_refresh.reader.httpx_auth import TokenAuth


@pytest.mark.usefixtures("replaced")
def test_file_is_not_repeated(api: Api, tokens: TokenReader, tmp_path: Path) -> None:
    """An open file isn't sent a second time, half or empty."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"part")
    with upload.open("rb") as file:
        assert 401 == httpx.post(api.url, content=file, auth=TokenAuth(tokens)).status_code
    assert [b"part"] == api.bodies


@pytest.mark.usefixtures("replaced")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_streamed_body_is_repeated_on_demand(api: Api, tokens: TokenReader, *, asynchronous: bool) -> None:
    """With `requires_request_body` a stream is read into memory first, and so can be repeated."""
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
