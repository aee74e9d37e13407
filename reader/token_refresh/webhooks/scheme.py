"""What a way to sign consists of, and what several of them share.

All use HMAC-SHA256. Parsing is strict: whatever a provider never sends is `WebhookMalformed`.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from token_refresh.webhooks.errors import WebhookMalformed, WebhookNotVerified
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.metadata import DeliveryMetadata

# Eleven digits last until the year 5138.
_SECONDS = re.compile(r"[1-9][0-9]{0,10}")
_DIGEST_BYTES = 32
HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class SignatureClaim:
    """What a request claims: these bytes, signed so, at this Unix time (None where the provider signs no time)."""

    # Not a dataclass: generating one takes a hundred times as long, and this `repr` shows nothing by itself.
    __slots__ = ("at_seconds", "content", "signatures")

    def __init__(self, *, content: bytes, signatures: tuple[bytes, ...], at_seconds: int | None = None) -> None:
        self.content: Final = content
        self.signatures: Final = signatures
        self.at_seconds: Final = at_seconds

    def check_time(self, *, now: float, tolerance: timedelta) -> None:
        """Refuse what was signed too long ago, or too far ahead."""
        if self.at_seconds is None:
            return
        ahead_seconds = self.at_seconds - now
        if abs(ahead_seconds) > tolerance.total_seconds():
            # Both ways: a time far ahead could be replayed until then.
            way = "in the future" if ahead_seconds > 0 else "ago"
            raise WebhookNotVerified(
                f"signed {abs(ahead_seconds):.0f} s {way}, and {tolerance.total_seconds():.0f} s are tolerated: "
                "a replay, or a clock that is wrong"
            )

    def first_fitting(self, keys: Sequence[bytes]) -> int | None:
        """Find the first key that made one of the signatures: its index, or None; in the same time whichever it is."""
        fitting = []
        for key in keys:
            digest = hmac.digest(key, self.content, "sha256")
            # Without `any` and `break`: the time must not tell which key fits, nor which signature.
            fitting.append(sum(hmac.compare_digest(digest, signature) for signature in self.signatures) > 0)
        return fitting.index(True) if True in fitting else None


class Scheme(NamedTuple):
    """One way to sign.

    Attributes:
        name: Names the provider in logs and messages.
        read: Takes the request apart; raises `WebhookMalformed`.
        key: Makes the HMAC key of a stored secret; raises `ValueError`, whose text says what is wrong with its form.
        about: Finds ID, type and handshake in a verified request.
        hint: The likeliest reason why a genuine delivery isn't verified.
        no_retry: Headers that keep the provider from retrying a delivery that can never succeed.
        signed_in: Headers, in lower case, of which a delivery has one at least: without, it is refused unread.
    """

    name: str
    read: Callable[[Headers, bytes], SignatureClaim]
    key: Callable[[str], bytes]
    about: Callable[[Headers, bytes], DeliveryMetadata]
    hint: str = ""
    no_retry: Mapping[str, str] = {}
    signed_in: tuple[str, ...] = ()

    def need_signature(self, headers: Headers) -> None:
        """Refuse a request of which no header can hold a signature, before anything is done with its body."""
        if self.signed_in and not any(name in headers for name in self.signed_in):
            raise WebhookMalformed(f"the header {self.signed_in[0]} is missing")

    @property
    def path(self) -> str:
        """The path of its endpoint in a receiver for several senders."""
        return f"/webhooks/{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that says where such a receiver finds the signing secret."""
        return f"{self.name.upper()}_WEBHOOK_SECRET_ID"


def read_seconds(header: str, text: str) -> int:
    """Return the Unix time that a header holds."""
    if not _SECONDS.fullmatch(text):
        raise WebhookMalformed(f"the time in the header {header} is not a Unix time in plain digits")
    return int(text)


def read_hex_digest(headers: Headers, header: str, prefix: str) -> bytes:
    """Return the one signature that a header holds."""
    value = headers.need(header)
    if not value.startswith(prefix) or not HEX_DIGEST.fullmatch(value, len(prefix)):
        raise WebhookMalformed(f"the header {header} is not {prefix} and 64 hexadecimal digits")
    return bytes.fromhex(value[len(prefix) :])


def at_least_one(header: str, signatures: list[bytes]) -> tuple[bytes, ...]:
    """Return the v1 signatures of a header that may hold several."""
    if not signatures:
        raise WebhookMalformed(f"the header {header} has no v1 signature of the right form")
    return tuple(signatures)


def base64_digest(text: str) -> bytes | None:
    """Return a digest that is written in base64, and None for any other text."""
    try:
        digest = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return digest if len(digest) == _DIGEST_BYTES else None


def raw_key(secret: str) -> bytes:
    """Use the secret's own characters."""
    if not secret:
        raise ValueError("is empty")
    # Not stripped silently: the sender may really have signed with it.
    if secret != secret.strip():
        raise ValueError("begins or ends with white space, such as the newline that `echo` adds")
    return secret.encode(errors="surrogatepass")  # an encoding error would quote a character of it
