"""Values in the body of a response, read without trust: whatever is there, nothing raises."""

import json
import math
import re
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from token_refresh.secret_value import SecretValue
from token_refresh.stored.spelling import is_token
from token_refresh.stored.times import LONGEST_LIFETIME, read_unix
from token_refresh_worker.oauth.formats import Encoding

_LONGEST_EXTRA_TEXT: Final = 2048
_MOST_OBJECTS: Final = 100
"""How many braces of a text are tried: each can take a while."""
_DEEPEST: Final = 64
_DEEPEST_SHOWN: Final = 100
"""Fields below so many others are not shown; a pointer finds them."""
_SHOWN_NAME: Final = re.compile(r"[A-Za-z]{1,24}(?:[_.-][A-Za-z]{1,24}){0,4}[0-9]?")
"""A name that is shown. A response can have anything in a name's place, and nobody writes a token with such parts."""
_LONGEST_NAME: Final = 40
_LIKE_A_TOKEN: Final = re.compile(r"(?!\w+://|urn:|\d{4}-\d\d-\d\d)[\x21-\x7e]{16,}")
_LONGEST_CLAIMS: Final = 16_384
_MOST_SECONDS: Final = 1000 * LONGEST_LIFETIME // timedelta(seconds=1)
_LARGEST_NUMBER: Final = 2**53  # what every JSON reader can hold


def read_fields(body: bytes, encoding: Encoding) -> dict[str, object] | None:
    """Parse a body; None where it is not an object."""
    try:
        if encoding is Encoding.FORM:
            return _read_form(body.decode("utf-8-sig", "replace"))
        # Text in another encoding, or with a raw line end (RFC 8259 section 7), must not cost the tokens beside it.
        text = body.decode(json.detect_encoding(body), "replace")
        parsed = json.loads(text, parse_int=_read_int, strict=False, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def json_error(body: bytes | None) -> object:
    """Return the member `error` of a JSON object, such as RFC 6749 has it; None where there is none."""
    fields = None if body is None else read_fields(body, Encoding.JSON)
    return (fields or {}).get("error")


def only_object(body: bytes) -> dict[str, object] | None:
    """Return the JSON object in a text, such as a warning before it; None where there is no object, or another one."""
    found = objects_in(body.decode(json.detect_encoding(body), "replace"))
    return found[0] if len(found) == 1 else None


def objects_in(text: str) -> list[dict[str, object]]:
    """Return the JSON objects in a text, the outermost ones, in order; none where there are too many braces."""
    decoder = json.JSONDecoder(parse_int=_read_int, strict=False, object_pairs_hook=_unique)
    found, at = list[dict[str, object]](), text.find("{")
    for _ in range(_MOST_OBJECTS):
        if at < 0:
            return found
        try:
            value, at = decoder.raw_decode(text, at)
            found.append(value)
        except (ValueError, RecursionError):
            at += 1
        at = text.find("{", at)
    return []


def unpack(body: bytes, limit_bytes: int) -> tuple[bytes, bool] | None:
    """Undo gzip, zlib or raw deflate, and say whether its end arrived; what is text already stays as it is.

    None where nothing readable comes of it, something else follows it, or it has more than the limit.
    """
    if is_text(body):
        return body, True
    for bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # The first finds out which of its two formats it is.
        unpacker = zlib.decompressobj(bits)
        with suppress(zlib.error):
            text = unpacker.decompress(body, limit_bytes + 1)
            # Zeros are padding; anything else is another part of the body.
            if text and is_text(text) and len(text) <= limit_bytes and not unpacker.unused_data.strip(b"\0"):
                return text, unpacker.eof
    return None


def is_text(body: bytes) -> bool:
    """Whether these bytes are text, in UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_form(text: str) -> dict[str, object] | None:
    """Parse form fields; one with two values gets a list, which is no token. None where nothing is a field."""
    # A line end or an empty pair must not cost the tokens. It is cut per pair: joining lines could make a wrong token.
    tidy = "&".join(pair.strip() for pair in text.split("&"))
    fields = _unique(parse_qsl(tidy, keep_blank_values=True, max_num_fields=100))
    return fields if any(fields.values()) else None


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Make an object of pairs; a name with two values gets a list, which is no token, unless one of them is empty.

    JSON's parsers take the last value by custom, and a form has none: here a wrong guess could cost the grant.
    """
    values: dict[str, list[object]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else _one_of(found) for name, found in values.items()}


def _one_of(values: Sequence[object]) -> object:
    found = [value for value in values if value not in (None, "")] or [None]
    return found if any(value != found[0] for value in found) else found[0]


def _read_int(digits: str) -> int | float:
    """Read an integer; one that Python refuses to convert must not cost the tokens in the same object."""
    return int(digits) if len(digits) < 400 else math.inf  # noqa: PLR2004 - beyond what a double holds


def find(value: object, path: Sequence[str]) -> object:
    """Follow a path through objects and lists; None where it ends."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 4:  # noqa: PLR2004 - no huge int
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def texts(value: object, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Return the texts in objects and lists, each with the path to it; None for what is nested too deep to look at.

    An integer that is too large for most readers of JSON is no number either: somebody's token may be one.
    """
    if path.count("/") > _DEEPEST:
        yield path, None
    elif isinstance(value, dict):
        for name, it in value.items():
            yield from texts(it, f"{path}/{name}")
    elif isinstance(value, list):
        for it in value:
            yield from texts(it, f"{path}/")
    elif isinstance(value, str) or (isinstance(value, int) and value >= _LARGEST_NUMBER):
        yield path.rstrip("/"), str(value).strip()


def pointers(value: object, pointer: str = "") -> Iterator[tuple[str, object]]:
    """Return the values in objects and lists, each with a JSON pointer to it (RFC 6901).

    `#2` is the second member of an object: its name is not shown.
    """
    if isinstance(value, Mapping) and pointer.count("/") < _DEEPEST_SHOWN:
        for place, (name, member) in enumerate(value.items(), 1):
            shown = name if len(name) <= _LONGEST_NAME and _SHOWN_NAME.fullmatch(name) else f"#{place}"
            yield from pointers(member, f"{pointer}/{shown}")
    elif isinstance(value, list) and pointer.count("/") < _DEEPEST_SHOWN:
        for place, member in enumerate(value):
            yield from pointers(member, f"{pointer}/{place}")
    else:
        yield pointer, value


def is_like_refresh_token(path: str, text: str) -> bool:
    """Whether a text looks like a refresh token under a name of its own: not like an address, a date or a few words."""
    return "refresh" in path.lower() and _LIKE_A_TOKEN.fullmatch(text) is not None


def matches(body: Mapping[str, object], wanted: Mapping[str, str | int | bool]) -> bool:
    """Whether each path leads to exactly the wanted value, of the same type."""
    return all(
        type(found := find(body, path.split("."))) is type(value) and found == value for path, value in wanted.items()
    )


def is_nothing(value: object) -> bool:
    """Whether a value says that there is none, also in the words of a program that writes each value as text."""
    return value is None or (isinstance(value, str) and value.strip().lower() in {"", "null", "none", "undefined"})


def as_token(value: object) -> SecretValue | None:
    """Read a token, without white space at its ends; None where the value is not one, or masked by asterisks."""
    text = value.strip(" \t\r\n") if isinstance(value, str) else value
    is_one = isinstance(text, str) and is_token(text) and not is_nothing(text) and any(map(str.isalnum, text))
    return SecretValue(str(text)) if is_one else None


def extra_value(value: object) -> str | int | None:
    """Read a value that the token document keeps as it is; None where it is too long, or neither text nor number."""
    if isinstance(value, int) and abs(value) >= _LARGEST_NUMBER:
        value = str(value)  # as a number, many readers of JSON would round it
    if isinstance(value, str):
        return value if 0 < len(value) <= _LONGEST_EXTRA_TEXT else None
    return value if isinstance(value, int) else None


def read_lifetime(value: object) -> timedelta | None:
    """Read a number of seconds; some providers send it as a string, and some mean milliseconds."""
    seconds = _read_number(value)
    return None if seconds is None else timedelta(seconds=int(min(max(seconds, 0), _MOST_SECONDS)))


def read_moment(value: object) -> datetime | None:
    """Read a moment, as Unix seconds or milliseconds or as ISO 8601; None where it is not one."""
    number = _read_number(value)
    try:
        if number is not None:
            return read_unix(int(number))
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_end(value: object) -> timedelta | datetime | None:
    """Read when something ends: a duration, or a moment. Nobody means a duration of ten years and more."""
    lifetime = read_lifetime(value)
    return lifetime if lifetime and lifetime < LONGEST_LIFETIME else read_moment(value)


def jwt_expiry(token: SecretValue) -> datetime | None:
    """Return the `exp` of a token that is a JWT (RFC 7519); None where it is not one, or says none that can be read.

    Nobody checks its signature here, so it may shorten what is believed, and never lengthen it.
    """
    parts = token.reveal().split(".", 3)
    if len(parts) != 3 or len(parts[1]) > _LONGEST_CLAIMS:  # noqa: PLR2004 - header, claims and signature
        return None
    with suppress(ValueError):
        claims = read_fields(urlsafe_b64decode(parts[1] + "==="), Encoding.JSON)
        return read_moment(claims and claims.get("exp"))
    return None


def _read_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
