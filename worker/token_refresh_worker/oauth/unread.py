"""A response that can't be read, and may hold tokens: what is kept of it, and what it looks like. Nothing here prints.

A provider that redeemed the token may have answered in a form that its profile does not know. Thrown away, the tokens
are lost, and at a single-use provider the grant with them. So the bytes are kept, and a person points to the fields.
"""

import base64
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, unquote

from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import write_object
from token_refresh_worker.oauth.body import is_like_refresh_token, objects_in, read_fields, texts, unpack
from token_refresh_worker.oauth.formats import Encoding

MOST_BYTES: Final = 40_960
"""How much of a response is kept: in base64 it must fit into a value of 64 KiB."""

RESPONSE_KEY: Final = "unreadResponse"
"""The only key of an unread response. It tells one from a token document, also among the refused tokens of a table."""

_HTML: Final = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_SHOWN: Final = re.compile(rb"\ncontent-type:\s*(?:text/html|image/)", re.IGNORECASE)
_STATUS: Final = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b")
_TOKEN_NAME: Final = re.compile(r"(?:access|refresh|id)[\W_]*token", re.IGNORECASE)
_ANY_TOKEN: Final = re.compile("token", re.IGNORECASE)
_SHORT_NAME: Final = re.compile(r"/(?:access|refresh|jwt|bearer)$", re.IGNORECASE)
_REFRESH_TOKEN: Final = re.compile(r"refresh[\W_]*token\W{1,20}[\w.~+/-]{8}", re.IGNORECASE)
_ENCODED: Final = re.compile(r"\beyJ[\w+/-]{8}")
"""How base64 of a JSON object begins, such as a JWT, or a whole response in an envelope."""
_PAIR: Final = re.compile(r'"([^"\\]{1,80})"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d{1,15}))')
_LOOSE_PAIR: Final = re.compile(
    r"""([A-Za-z][\w.-]{0,79})["']?\s{0,8}[:=>]\s{0,8}["']?(?![\w.-]+=\w)([^\s"'<>&,;{}]{1,8192})"""
)
_KNOWN_NAME: Final = re.compile(r"^[\w.-]*(?:token|expir|scope|access|refresh)[\w.-]*$", re.IGNORECASE)
_WORD: Final = re.compile(r"""[^\s"'<>&,;{}=]{16,8192}""")
_TO_URL_SAFE: Final = str.maketrans("+/", "-_", "=\n")
_MOST_UNPACKED: Final = 1 << 20
_DEEPEST: Final = 64


def may_hold_tokens(raw: bytes) -> bool:
    """Whether a response that could not be read may hold tokens, by its bytes as they arrived, head included.

    A page in HTML holds none unless it names a refresh token and has one, and neither does an object that was read and
    has no token in it: a live grant must not wait for a person because a gateway's error mentions tokens.
    """
    found = _STATUS.match(raw)
    status = int(found[1]) if found else 200
    if 300 <= status < 500 and status not in {408, 499}:  # noqa: PLR2004 - the classes of RFC 9110 section 15
        return False
    body = body_of(raw)
    text, fields = _text_of(body), read_fields(body, Encoding.JSON)
    # A failing gateway may have tokens of its own, such as one that stands for the request.
    named = _ANY_TOKEN if 200 <= status < 300 else _TOKEN_NAME  # noqa: PLR2004 - likewise
    if fields is not None:
        return any(value is None or _is_token(path, value, named) for path, value in texts(fields))
    if _HTML.search(body) or (text is not None and _HTML.search(text.encode())):
        return _REFRESH_TOKEN.search(body.decode("latin-1")) is not None
    if text is None:
        return not _SHOWN.search(raw[: len(raw) - len(body)])
    return named.search(text) is not None or _ENCODED.search(text) is not None


def write_unread(raw: bytes) -> SecretValue:
    """Write the bytes of a response as they are stored."""
    return write_object({RESPONSE_KEY: base64.b64encode(raw[:MOST_BYTES]).decode()})


def read_unread(text: SecretValue) -> bytes | None:
    """Read the bytes of an unread response; None where something else is stored."""
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
    """Return what a person can point into: objects, a form, pairs of any notation, or at last the words of a text.

    Text that is itself an object, also in base64, is one to point into.
    """
    found = read_fields(body, Encoding.JSON)
    if found is not None:
        return _opened(found)
    text = _text_of(body) or body.decode("latin-1")
    if objects := objects_in(text):
        return _opened(objects)
    if "=" in text and not re.search(r"[{<;\s]", text.strip()):
        return _fields(parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=None))
    # As it is, or escaped once more: in a text of JSON, in a page, or in a URL.
    ways = text, text.replace('\\"', '"'), text.replace("&quot;", '"'), unquote(text)
    for way in ways:
        if pairs := [(name, _unescaped(value) or number) for name, value, number in _PAIR.findall(way)]:
            return _fields(pairs)
    return _fields(_LOOSE_PAIR.findall(text)) or _WORD.findall(text)


def _fields(pairs: Sequence[tuple[str, str]]) -> object:
    """Return pairs as an object, or as a list of objects where a name comes twice.

    Outside of JSON a piece of a token can look like a name: those that no response is known for are left out.
    """
    known = [(name if _KNOWN_NAME.search(name) else "", value) for name, value in pairs]
    found = dict(known)
    return found if len(found) == len(known) else [{name: value} for name, value in known]


def _unescaped(value: str) -> str:
    with suppress(ValueError):
        return str(json.loads(f'"{value}"'))
    return value


def _opened(value: object, depth: int = 0) -> object:
    """Open text that is itself JSON, also in base64."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        return {name: _opened(it, depth + 1) for name, it in value.items()}
    if isinstance(value, list):
        return [_opened(it, depth + 1) for it in value]
    inner = _inner(value) if isinstance(value, str) else None
    return value if inner is None else _opened(inner, depth + 1)


def _inner(text: str) -> dict[str, object] | None:
    packed = text.encode("utf-8", "replace")
    if text.startswith("eyJ") and "." not in text:
        with suppress(ValueError):
            packed = base64.urlsafe_b64decode(text.translate(_TO_URL_SAFE) + "==")
    return read_fields(packed, Encoding.JSON) if packed.lstrip().startswith((b"{", b'"{')) else None


def _text_of(body: bytes) -> str | None:
    """Decode a body; None where it is no text. What is compressed may be valid UTF-16, but few of it is ASCII then."""
    with suppress(UnicodeDecodeError):
        text = body.decode(json.detect_encoding(body))
        return text if 2 * sum(map(str.isascii, text)) >= len(text) else None
    return None


def _is_token(path: str, text: str, named: re.Pattern[str]) -> bool:
    """Whether a text in an object is named as a token is, by the whole path to it, or is an object in base64."""
    inner = _inner(text)
    if inner is not None:
        return any(it is None or _is_token(path + below, it, named) for below, it in texts(inner))
    # A short name alone says little: `"access": "denied"`.
    short = named is _ANY_TOKEN and _SHORT_NAME.search(path) is not None and _WORD.fullmatch(text) is not None
    is_named = text != "" and named.search(path) is not None and "type" not in path.rpartition("/")[2].lower()
    renamed = named is _ANY_TOKEN and is_like_refresh_token(path, text)
    return is_named or short or renamed or _ENCODED.match(text) is not None


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
