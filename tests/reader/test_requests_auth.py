"""requests with the reader's auth: what test_auth.py doesn't say of both libraries."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from testbed.reader_surroundings import Api, Store
from token_refresh.reader import TokenReader
from token_refresh.reader.requests_auth import TokenAuth


@pytest.fixture
def session(tokens: TokenReader) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.auth = TokenAuth(tokens)
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
