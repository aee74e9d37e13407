"""What a verified request is about: its ID and type, and whether it only tests the endpoint."""

import hashlib
import json
import re
from typing import Any, Final
from urllib.parse import parse_qs

_ID = re.compile(r"[!-~]{1,256}")
_TYPE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class DeliveryMetadata:
    """What the provider says about a delivery; `repr` shows nothing of it.

    Attributes:
        key: The same for each copy of a delivery, and for no other. Made of signed bytes alone, so that a replay
            can't choose another one.
        id: The provider's name for it, as its own pages show it; for GitHub a header that isn't signed.
        type: What happened, as in `invoice.paid`; for GitHub a header that isn't signed.
        handshake: Where the provider only tests the endpoint, the body that it expects.
    """

    __slots__ = ("handshake", "id", "key", "type")  # not a dataclass, as `SignatureClaim`

    def __init__(self, key: str, found_id: str | None, kind: Any, handshake: str | None = None) -> None:
        self.key: Final = key
        self.id: Final = found_id
        self.type: Final = kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else None
        self.handshake: Final = handshake


def signed_id(body: bytes, value: Any, kind: Any, handshake: str | None = None) -> DeliveryMetadata:
    """Go by an ID that was signed; without one the digest of the body is the key."""
    found = identifier(value)
    return DeliveryMetadata(found or digest(body), found, kind, handshake)


def read_payload(body: bytes) -> tuple[Any, dict[str, str]]:
    """Parse a body: a JSON value, or else a form, whose field `payload` may hold the JSON value."""
    value = _json(body)
    # A JSON body, readable or not, is never parsed as a form: "&ssl_check=1&" in the text of a message means nothing.
    looks_like_json = body.lstrip()[:1] in {b"{", b"["}
    form = {} if value is not None or looks_like_json else _form(body)
    return _json(form["payload"]) if "payload" in form else value, form


def as_object(value: Any) -> dict[str, Any]:
    """Return a JSON object, and an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def identifier(value: Any) -> str | None:
    """Return a text that has the form of an ID."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def digest(body: bytes) -> str:
    """Return what stands for an ID that isn't signed."""
    return hashlib.sha256(body).hexdigest()


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _form(body: bytes) -> dict[str, str]:
    """Return the fields; of a repeated one the first value counts."""
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace"), keep_blank_values=True).items()}
