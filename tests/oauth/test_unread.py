"""A response that can't be read: whether it may hold tokens, how it is kept, and what a person can point into."""

import base64
import gzip
import json
import zlib

import pytest

from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.body import texts
from token_refresh_worker.oauth.unread import (
    MOST_BYTES,
    RESPONSE_KEY,
    body_of,
    may_hold_tokens,
    object_of,
    read_unread,
    write_unread,
)

GOOD = b'{"accessToken":"a","refreshToken":"r"}'


def raw(body: bytes, status: int = 200, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Odd\r\n%s\r\n" % (status, head) + body


def short(value: object) -> str:
    """Name a case by its first characters: bytes that differ from run to run would let workers collect other tests."""
    return repr(value)[:60]


@pytest.mark.parametrize(
    "response",
    [
        raw(b'{"data":{"accessToken":"a"}}'),
        raw(b'{"data":[{"refresh_token":"r"}]}'),
        raw(gzip.compress(b"\xff\xfe", mtime=0)),
        raw(b'[{"refresh_token":"r"}]', head=b"X: y\r\n"),
        raw(b'{"access_token":"a"}{"access_token":"b"}'),
        raw(b'{"access_token":"a'),
        raw(b"the token is abc"),
        raw(b"access_token=a&refresh_token=r"),
        raw(b'callback({"access_token":"a"})', 500),
        raw(GOOD, 408),
        raw(b'{"token":"a"}'),
        raw(b'{"x":{"id_token":"a"}}', 500),
        raw(GOOD, 499),
        raw(b"\xff\xfe\x00unreadable"),
        raw(gzip.compress(GOOD, mtime=0)),
        raw(b"26\r\n" + GOOD + b"\r\n0\r\n\r\n", head=b"Transfer-Encoding: chunked\r\n"),
        b"HTTP/1.1 200 OK\nContent-Type: a\n\n" + GOOD,
        GOOD,
        # The name may be above the value, short, or within a text; base64 of an object may be a JWT or an envelope.
        raw(b'{"token":{"access":"a","refresh":"r"}}'),
        raw(b'{"access":"%s","refresh":"%s"}' % (b"a" * 16, b"r" * 16)),
        raw(b'{"statusCode":200,"body":"{\\"access_token\\":\\"a\\"}"}'),
        raw(b'{"result":"eyJhbGciOiJub25lIn0.e30.x"}'),
        raw(b'{"body":"%s"}' % base64.b64encode(GOOD)),
        raw(b"eyJhbGciOiJub25lIn0.e30.x"),
        raw(b'{"x":"%s"}' % base64.b64encode(b'{"x":' * 400 + b"1" + b"}" * 400)),
        raw(b'{"x":' * 3000 + GOOD + b"}" * 3000),
        raw("access_token=a&refresh_token=r".encode("utf-16-le")),
        raw(GOOD[:-1] + b',"terms":"<html>"}'),
        raw(b"<html><body>access_token=a&amp;refresh_token=r2345678</body></html>"),
        raw(b"\xff" * 9, head=b"Content-Type: application/json\r\n"),
        raw(b'{"key":"k","refreshHandle":"%s"}' % (b"r" * 16)),
        raw(b'{"key":"k","new":{"refresh":9007199254740992}}'),
    ],
    ids=short,
)
def test_it_may_hold_tokens(response: bytes) -> None:
    """An object with a token somewhere, a text that names one, bytes that are no text; also of a server that failed."""
    assert may_hold_tokens(response)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99",
        raw(b" \n"),
        raw(b"<!doctype html><script>csrf_token = 1</script>"),
        raw(b"\n<HTML><body>the access_token expired"),
        raw(b'{"error":"invalid_token"}'),
        raw(b'{"token_type":"Bearer","access_token":"","expires_in":3600,"refresh_token":null}'),
        raw(b'{"error":"server_error","error_description":"the token service is down"}', 503),
        raw(b"the token service is down", 503),
        raw(b'{"request_token":"abc","error":"server_error"}', 502),
        raw(b"maintenance"),
        raw(b'{"access":"denied"}'),
        raw(b"<!-- " + b"x" * 3000 + b" --><html>a token</html>"),
        raw("<html><body>a token</body></html>".encode("utf-16")),
        raw(b"\xff" * 9, head=b"Content-Type: text/html\r\n"),
        raw(b"GIF89a\xff", head=b"content-type: image/gif\r\n"),
        raw(b'{"body":"{\\"error\\":\\"server_error\\"}"}'),
        raw(b'{"key":"k","refresh_url":"https://provider.example/","refresh":9007199254740991}'),
        raw(GOOD, 400),
        raw(GOOD, 302),
    ],
    ids=short,
)
def test_a_live_grant_is_not_given_up_for_nothing(response: bytes) -> None:
    """A page, an error, an object without a token, and what proves no redemption: the token is sent again."""
    assert not may_hold_tokens(response)


def test_it_is_kept_as_it_came() -> None:
    """Byte for byte, up to what fits into a value; nothing else is taken for one."""
    odd = bytes(range(256)) * 4

    assert odd == read_unread(write_unread(odd))
    assert MOST_BYTES == len(read_unread(write_unread(b"x" * 99_999)) or b"")
    assert len(write_unread(b"x" * 99_999).reveal()) < 65_536
    for other in ("{}", "[]", "?", json.dumps({RESPONSE_KEY: 1}), json.dumps({RESPONSE_KEY: "?"})):
        assert read_unread(SecretValue(other)) is None


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(GOOD, mtime=0),
        gzip.compress(GOOD, mtime=0)[:-8],
        zlib.compress(GOOD),
        zlib.compress(GOOD, wbits=-zlib.MAX_WBITS),
        GOOD,
    ],
    ids=short,
)
def test_a_body_is_unpacked(packed: bytes) -> None:
    """gzip, with or without its end, zlib, and raw deflate: whatever the head says of it."""
    assert GOOD == body_of(raw(packed))


def test_chunks_are_joined_as_far_as_they_arrived() -> None:
    """A body that breaks off within a chunk keeps what is there; one that is not in chunks is left alone."""
    head = b"Transfer-Encoding: chunked\r\n"

    assert b"abcdef" == body_of(raw(b"3\r\nabc\r\n5;x\r\ndef", head=head))
    assert b"abc" == body_of(raw(b"3\r\nabc\r\n?\r\n", head=head))
    assert GOOD == body_of(raw(GOOD, head=head))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (GOOD, {"accessToken": "a", "refreshToken": "r"}),
        (b'x{"a":1} {"b":2}y{', [{"a": 1}, {"b": 2}]),
        (b"access_token=a&expires_in=9", {"access_token": "a", "expires_in": "9"}),
        (b'{"access_token":"a\\"b", "expires_in": 9, "refresh', {"access_token": 'a"b', "expires_in": "9"}),
        (b'{"access_token":"a\\q", "x', {"access_token": "a\\q"}),
        (b'{"a":' * 99 + GOOD + b"}" * 99, json.loads(b'{"a":' * 99 + GOOD + b"}" * 99)),
        (b"nothing", []),
        (b"{" * 300 + GOOD, {"accessToken": "a", "refreshToken": "r"}),
    ],
)
def test_a_person_can_point_into_it(body: bytes, found: object) -> None:
    """An object, the objects of a text in a list, a form, or the pairs of an object that breaks off."""
    assert found == object_of(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"token":{"access":"%(a)s","refresh":"%(r)s"}}',
        b'{"body":"{\\"access_token\\":\\"%(a)s\\",\\"refresh_token\\":\\"%(r)s\\"}"}',
        b'"{\\"access_token\\":\\"%(a)s\\",\\"refresh_token\\":\\"%(r)s\\"}"',
        b"access_token=%(a)s&refresh_token=old&refresh_token=%(r)s",
        b"access_token=%(a)s\nrefresh_token=%(r)s\n",
        b"access_token=%(a)s;refresh_token=%(r)s",
        b"access_token: %(a)s\nrefresh_token: %(r)s\n",
        b'<?xml version="1.0"?><r><access_token>%(a)s</access_token><refresh_token>%(r)s</refresh_token></r>',
        b"<html><body>access_token=%(a)s&refresh_token=%(r)s</body></html>",
        b"{'access_token': '%(a)s', 'refresh_token': '%(r)s'}",
        b'{access_token:"%(a)s",refresh_token:"%(r)s"}',
        b"{&quot;access_token&quot;:&quot;%(a)s&quot;,&quot;refresh_token&quot;:&quot;%(r)s&quot;}",
        b"%%7B%%22access_token%%22%%3A%%22%(a)s%%22%%2C%%22refresh_token%%22%%3A%%22%(r)s%%22%%7D",
        '{"access_token":"%(a)s"}{"refresh_token":"%(r)s"}'.encode("utf-16-le"),
        b"tokens %(a)s, %(r)s",
        b'{"token":"%(r)s","all":["%(a)s"]}',
    ],
    ids=short,
)
def test_both_tokens_can_be_pointed_to(body: bytes) -> None:
    """Whatever the notation, each token is a value of its own."""
    wanted = {"a": "acc-Zx81.abcdefghij", "r": "ref-Yv72_abcdefghij"}
    encoded = {name.encode(): value.encode() for name, value in wanted.items()}
    response = raw(body.decode("utf-16-le").__mod__(wanted).encode("utf-16-le") if b"\0" in body else body % encoded)

    found = list(texts({"response": object_of(body_of(response))}))

    assert may_hold_tokens(response)
    assert {*wanted.values()} <= {value for _, value in found}


@pytest.mark.parametrize(
    "body", [b"abcdEFGH=", b"see abcdEFGH: token", b"<b>abcdEFGH:0 token</b>", b"a=b&abcdEFGH=token"]
)
def test_no_piece_of_a_text_is_taken_for_a_name(body: bytes) -> None:
    """Names are shown, and outside of JSON anything may stand in front of a colon."""
    assert "abcdEFGH" not in "".join(path for path, _ in texts(object_of(body)))


def test_a_whole_response_in_base64_can_be_pointed_into() -> None:
    """As a gateway packs it; what only looks like that stays a text."""
    assert {"body": {"accessToken": "a", "refreshToken": "r"}} == object_of(b'{"body":"%s"}' % base64.b64encode(GOOD))
    for other in ("eyJ?", "eyJhbGciOiJub25lIn0.e30.x"):
        assert {"body": other} == object_of(json.dumps({"body": other}).encode())
