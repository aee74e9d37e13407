"""Odd responses that hold good tokens, from a real server: what is unambiguous is read, the rest is kept."""

import gzip
import json
import zlib
from typing import Final

import pytest

from adapters.endpoints import send
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh_worker.oauth.response import BODY_LIMIT_BYTES, FailedRequest, TokenResponse

GOOD: Final = b'{"access_token":"acc-1","refresh_token":"ref-1","expires_in":3600}'
OTHER: Final = GOOD.replace(b"-1", b"-2")


def made(changes: str = "", **fields: object) -> bytes:
    found = json.loads(GOOD) | json.loads(changes or "{}") | fields
    return json.dumps({name: value for name, value in found.items() if value != "-"}).encode()


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


READ: Final[dict[str, tuple[bytes, bytes]]] = {
    # What is in the head, and what is below it.
    "plain": (b"", GOOD),
    "byte order mark": (b"", b"\xef\xbb\xbf" + GOOD),
    "UTF-16": (b"", GOOD.decode().encode("utf-16")),
    "line ends around": (b"", b"\r\n\r\n" + GOOD + b"\r\n"),
    "JSONP": (b"", b"callback(" + GOOD + b");"),
    "a comment in front": (b"", b"<!-- cached -->\n" + GOOD),
    "a warning in front": (b"", b"Warning: undefined index in /srv/token.php on line 3\n" + GOOD),
    "a trace behind": (b"", GOOD + b"\nDeprecated: strftime()"),
    "a list of one": (b"", b"[" + GOOD + b"]"),
    "a null byte behind": (b"", GOOD + b"\0"),
    "error text": (b"", made(error="none", error_description="success")),
    "error object": (b"", made(error={"code": 0})),
    "line end behind the access token": (b"", made(access_token="acc-1\n")),
    "tab behind the refresh token": (b"", made(refresh_token="ref-1\t")),
    "a huge number": (b"", GOOD[:-1] + b',"id":' + b"9" * 5000 + b"}"),
    "NaN": (b"", GOOD[:-1] + b',"x":NaN}'),
    "name in escapes": (b"", GOOD.replace(b'"access', b'"\\u0061ccess')),
    "gzip": (b"Content-Encoding: gzip\r\n", gzip.compress(GOOD)),
    "x-gzip": (b"Content-Encoding: X-GZIP\r\n", gzip.compress(GOOD)),
    "gzip without its trailer": (b"Content-Encoding: gzip\r\n", gzip.compress(GOOD)[:-8]),
    "gzip that breaks off in its trailer": (b"Content-Encoding: gzip\r\n", gzip.compress(GOOD)[:-3]),
    "gzip and padding": (b"Content-Encoding: gzip\r\n", gzip.compress(GOOD) + b"\0\0"),
    "gzip undone, named": (b"Content-Encoding: gzip\r\n", GOOD),
    "zlib": (b"Content-Encoding: deflate\r\n", zlib.compress(GOOD)),
    "raw deflate": (b"Content-Encoding: deflate\r\n", raw_deflate(GOOD)),
    "UTF-8 as an encoding": (b"Content-Encoding: utf-8\r\n", GOOD),
    "identity": (b"Content-Encoding: identity\r\n", GOOD),
    "no encoding": (b"Content-Encoding: \r\n", GOOD),
    "gzip and a length too long": (b"Content-Encoding: gzip\r\nContent-Length: 999\r\n", gzip.compress(GOOD)),
    "text/html": (b"Content-Type: text/html\r\n", GOOD),
    "chunks": (b"Transfer-Encoding: chunked\r\n", chunks(GOOD[:9], GOOD[9:])),
    "chunks without an end": (b"Transfer-Encoding: chunked\r\n", chunks(GOOD, end=b"")),
    "length too long": (b"Content-Length: 999\r\n", GOOD),
    "length and more behind": (b"Content-Length: %d\r\n" % len(GOOD), GOOD + b"garbage"),
    "two equal lengths": (b"Content-Length: %d\r\n" % len(GOOD) * 2, GOOD),
    "refresh token in another style": (b"", GOOD.replace(b"refresh_token", b"refreshToken")),
    "refresh token twice, once null": (b"", GOOD[:-1] + b',"refresh_token":null}'),
    "access token twice, once empty": (b"", b'{"access_token":"",' + GOOD[1:]),
    "256 KiB": (b"", GOOD.rjust(BODY_LIMIT_BYTES)),
}

KEPT: Final[dict[str, tuple[bytes, bytes]]] = {
    "two objects": (b"", GOOD + OTHER),
    "a list of two": (b"", b"[" + GOOD + b"," + OTHER + b"]"),
    "access token null": (b"", made(access_token=None)),
    "access token as a number": (b"", made(access_token=12345678)),
    "refresh token as a number": (b"", made(refresh_token=12345678)),
    "a space within the token is one, a line end is not": (b"", made(access_token="acc\n1")),
    "refresh token elsewhere": (b"", made(refresh_token="-", data={"refresh_token": "ref-1"})),
    "refresh token masked": (b"", made(refresh_token="********")),
    "two refresh tokens": (b"", b'{"refresh_token":"ref-0",' + GOOD[1:]),
    "nested deep": (b"", b'{"x":' * 600 + GOOD + b"}" * 600),
    "a comma too many": (b"", GOOD[:-1] + b",}"),
    "an end too few": (b"", GOOD[:-1]),
    "gzip, not named": (b"", gzip.compress(GOOD)),
    "gzip that breaks off": (b"Content-Encoding: gzip\r\n", gzip.compress(GOOD)[:-20]),
    "Brotli": (b"Content-Encoding: br\r\n", b"\x8b\x02\x80access"),
    "Brotli, undone": (b"Content-Encoding: br\r\n", GOOD),
    "length too short": (b"Content-Length: 40\r\n", GOOD),
    "two lengths": (b"Content-Length: 9\r\nContent-Length: 8\r\n", GOOD),
    "a null byte in the head": (b"X-Odd: a\0b\r\n", GOOD),
    "a line without a colon": (b"nonsense\r\n", GOOD),
    "300 KB": (b"", made(pad="x" * 300_000)),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_unambiguous_is_read(endpoint: TokenEndpoint, name: str) -> None:
    """Both tokens arrive, without what surrounds them."""
    head, body = READ[name]

    found = send(endpoint, script.raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body))

    assert isinstance(found, TokenResponse)
    assert "acc-1" == found.access_token.reveal()
    assert found.refresh_token is not None
    assert "ref-1" == found.refresh_token.reveal()


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_is_kept(endpoint: TokenEndpoint, name: str) -> None:
    """No token is guessed, and the response is there for a person."""
    head, body = KEPT[name]

    found = send(endpoint, script.raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body))

    assert isinstance(found, FailedRequest)
    assert found.unread is not None


@pytest.mark.parametrize("status", [b"200 ", b"201 Created", b"202 Accepted", b"203 Odd", b"206 Partial Content"])
def test_any_success_is_read(endpoint: TokenEndpoint, status: bytes) -> None:
    """Whichever 2xx it is, after an interim response or without a reason."""
    for interim in (b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"):
        found = send(endpoint, script.raw(interim + b"HTTP/1.1 " + status + b"\r\n\r\n" + GOOD))

        assert isinstance(found, TokenResponse)


def test_line_ends_of_unix_are_read(endpoint: TokenEndpoint) -> None:
    """A head whose lines end with LF alone, as some scripts write it, and HTTP/1.0."""
    for response in (b"HTTP/1.1 200 OK\nX: y\n\n", b"HTTP/1.0 200 OK\r\n\r\n"):
        assert isinstance(send(endpoint, script.raw(response + GOOD)), TokenResponse)
