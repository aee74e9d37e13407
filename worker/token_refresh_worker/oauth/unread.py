"""A response that can't be read, and may hold tokens: what is kept of it, and what it looks like. Nothing here prints.

A provider that redeemed the token may have answered in a form that its profile does not know. Thrown away, the tokens
are lost, and at a single-use provider the grant with them. So the bytes are kept, and a person points to the fields.
"""

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl

from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import write_object
from token_refresh_worker.oauth.body import is_text, objects_in, read_fields, unpack
from token_refresh_worker.oauth.formats import Encoding

MOST_BYTES: Final = 40_960
"""How much of a response is kept: in base64 it must fit into a value of 64 KiB."""

RESPONSE_KEY: Final = "unreadResponse"
"""The only key of a kept response. It tells one from a token document, also among the kept tokens of a table."""

_HTML: Final = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TOKEN_NAME: Final = re.compile(r"(?:access|refresh|id)[\s_-]?token", re.IGNORECASE)
_ANY_TOKEN: Final = re.compile("token", re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b")
_PAIR: Final = re.compile(r'"([^"\\]{1,80})"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d{1,15}))')
_MOST_UNPACKED: Final = 1 << 20


def may_hold_tokens(raw: bytes) -> bool:
    """Whether a response that could not be read may hold tokens, by its bytes as they arrived, head included.

    A page in HTML holds none, and neither does an object that was read and has no token in it: a live grant must not
    wait for a person because a gateway's error mentions tokens.
    """
    found = _STATUS.match(raw)
    status = int(found[1]) if found else 200
    if 300 <= status < 500 and status not in {408, 499}:  # noqa: PLR2004 - the classes of RFC 9110 section 15
        return False
    body = body_of(raw)
    if not body.strip() or _HTML.search(body[:2048]):
        return False
    if not is_text(body):
        return True
    text, fields = body.decode(), read_fields(body, Encoding.JSON)
    # A failing gateway may have tokens of its own, such as one that stands for the request.
    named = _ANY_TOKEN if 200 <= status < 300 else _TOKEN_NAME  # noqa: PLR2004 - likewise
    return _has_token(fields, named) if fields is not None else bool(named.search(text))


def write_kept(raw: bytes) -> SecretValue:
    """Write the bytes of a response as they are stored."""
    return write_object({RESPONSE_KEY: base64.b64encode(raw[:MOST_BYTES]).decode()})


def read_kept(text: SecretValue) -> bytes | None:
    """Read the bytes of a kept response; None where something else is stored."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        found = json.loads(text.reveal()).get(RESPONSE_KEY)
        return base64.b64decode(found, validate=True)
    return None


def body_of(raw: bytes) -> bytes:
    """Return the body of a response: without its head, its chunks joined, and unpacked as far as it can be."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    if not gap:
        head, gap, body = raw.partition(b"\n\n")
    if not gap:
        return b"" if _STATUS.match(raw) else raw
    body = _joined(body) if b"chunked" in head.lower() else body
    unpacked = unpack(body, _MOST_UNPACKED)
    return body if unpacked is None else unpacked[0]


def object_of(body: bytes) -> object:
    """Return what a person can point into: an object, a list of the objects in a text, a form, or single pairs."""
    found = read_fields(body, Encoding.JSON)
    if found is not None:
        return found
    text = body.decode("utf-8", "replace")
    if objects := objects_in(text):
        return objects
    if "=" in text and "{" not in text:
        return dict(parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=None))
    return {name: value or number for name, value, number in _PAIR.findall(text)}


def _has_token(value: object, named: re.Pattern[str], name: str = "") -> bool:
    if isinstance(value, Mapping):
        return any(_has_token(it, named, str(key)) for key, it in value.items())
    if isinstance(value, list):
        return any(_has_token(it, named, name) for it in value)
    is_text = isinstance(value, str) and value.strip() != ""
    return is_text and named.search(name) is not None and "type" not in name.lower()


def _joined(chunked: bytes) -> bytes:
    """Join the chunks of a body, as far as it arrived (RFC 9112 section 7.1)."""
    body, rest = b"", chunked
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return body or chunked
        body, rest = body + rest[:size], rest[size + 2 :]
    return body
