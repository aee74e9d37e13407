"""What a verified request is about: its ID and type, and whether it only tests the endpoint."""

import hashlib
import json
import re
from typing import Any, Final
from urllib.parse import parse_qs

from token_refresh.webhooks.headers import Headers

_ID = re.compile(r"[!-~]{1,256}")
_TYPE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class About:
    """What the provider says about a delivery; `repr` shows nothing of it.

    Attributes:
        key: The same for each copy of a delivery, and for no other. Made of signed bytes alone, so that a replay
            can't choose another one.
        id: The provider's name for it, as its own pages show it; for GitHub a header that isn't signed.
        type: What happened, as in `invoice.paid`; for GitHub a header that isn't signed.
        handshake: Where the provider only tests the endpoint, the body that it expects.
    """

    __slots__ = ("handshake", "id", "key", "type")  # not a dataclass, as `Signed`

    def __init__(self, key: str, found_id: str | None, kind: Any, handshake: str | None = None) -> None:
        self.key: Final = key
        self.id: Final = found_id
        self.type: Final = kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else None
        self.handshake: Final = handshake


def of_stripe(_headers: Headers, body: bytes) -> About:
    """Read `id` and `type` of the event."""
    event = as_object(read_body(body)[0])
    return _about(body, _identifier(event.get("id")), event.get("type"))


def of_slack(_headers: Headers, body: bytes) -> About:
    """Read an event, an interaction or a slash command."""
    value, form = read_body(body)
    message = as_object(value)
    challenge = _identifier(message.get("challenge"))
    # https://api.slack.com/events/url_verification: sent once, signed like all else.
    if message.get("type") == "url_verification" and challenge:
        return _about(body, None, "url_verification", handshake=challenge)
    if form.get("ssl_check") == "1":
        return _about(body, None, "ssl_check", handshake="")
    if event := as_object(message.get("event")):
        return _about(body, _identifier(message.get("event_id")), event.get("type"))
    # Commands and interactions have no event ID; trigger_id is theirs alone.
    trigger = _identifier(message.get("trigger_id") or form.get("trigger_id"))
    return _about(body, trigger, message.get("type") or form.get("command"))


def of_github(headers: Headers, body: bytes) -> About:
    """Read the headers; the key is a digest of the body, which alone is signed."""
    kind, delivery_id = headers.get("x-github-event"), headers.get("x-github-delivery")
    return About(_digest(body), _identifier(delivery_id), kind, handshake="" if kind == "ping" else None)


def of_standard(headers: Headers, body: bytes) -> About:
    """Read the signed message ID, and `type` of the body."""
    return _about(
        body, _identifier(headers.get(f"{standard_prefix(headers)}-id")), as_object(read_body(body)[0]).get("type")
    )


def standard_prefix(headers: Headers) -> str:
    """Say how the headers' names begin: Svix sends its own names for the same thing."""
    return "svix" if "svix-signature" in headers and "webhook-signature" not in headers else "webhook"


def read_body(body: bytes) -> tuple[Any, dict[str, str]]:
    """Parse a body: a JSON value, or else a form, whose field `payload` may hold the JSON value."""
    value = _json(body)
    # A JSON body, readable or not, is never parsed as a form: "&ssl_check=1&" in the text of a message means nothing.
    looks_like_json = body.lstrip()[:1] in {b"{", b"["}
    form = {} if value is not None or looks_like_json else _form(body)
    return _json(form["payload"]) if "payload" in form else value, form


def as_object(value: Any) -> dict[str, Any]:
    """Give a JSON object, and an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def _about(body: bytes, found_id: str | None, kind: Any, handshake: str | None = None) -> About:
    return About(found_id or _digest(body), found_id, kind, handshake)


def _identifier(value: Any) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _form(body: bytes) -> dict[str, str]:
    """Give the fields; of a repeated one the first value counts."""
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace"), keep_blank_values=True).items()}


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
