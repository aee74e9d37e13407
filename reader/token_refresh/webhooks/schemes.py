"""How each provider signs: pure functions from headers and body to what was signed, and from a secret to a key.

    STRIPE    "t.body"       hex, any of several v1     https://docs.stripe.com/webhooks
    SLACK     "v0:ts:body"   hex                        https://api.slack.com/authentication/verifying-requests-from-slack
    GITHUB    "body"         hex, no time               https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    STANDARD  "id.ts.body"   base64, any of several v1  https://www.standardwebhooks.com

All use HMAC-SHA256. Parsing is strict: whatever a provider never sends is `WebhookMalformed`.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from token_refresh.webhooks import about
from token_refresh.webhooks.about import About
from token_refresh.webhooks.errors import WebhookMalformed
from token_refresh.webhooks.headers import Headers

# Eleven digits last until the year 5138.
_SECONDS = re.compile(r"[1-9][0-9]{0,10}")
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
# No period: "id.ts.body" could be split in two ways.
_MESSAGE_ID = re.compile(r"[!-\-/-~]{1,256}")
_DIGEST_BYTES = 32


class Signed:
    """What a request claims: these bytes, signed so, at this Unix time (None where the provider signs no time)."""

    # Not a dataclass: generating one takes a hundred times as long, and this `repr` shows nothing by itself.
    __slots__ = ("at_seconds", "content", "signatures")

    def __init__(self, *, content: bytes, signatures: tuple[bytes, ...], at_seconds: int | None = None) -> None:
        self.content: Final = content
        self.signatures: Final = signatures
        self.at_seconds: Final = at_seconds


class Scheme(NamedTuple):
    """One way to sign.

    Attributes:
        name: Names the provider in logs and messages.
        read: Takes the request apart; raises `WebhookMalformed`.
        key: Makes the HMAC key of a stored secret; raises `ValueError`, whose text says what is wrong with its form.
        about: Finds ID, type and handshake in a verified request.
        hint: The likeliest reason why a genuine delivery isn't verified.
        no_retry: Headers that keep the provider from retrying a delivery that can never succeed.
    """

    name: str
    read: Callable[[Headers, bytes], Signed]
    key: Callable[[str], bytes]
    about: Callable[[Headers, bytes], About]
    hint: str = ""
    no_retry: Mapping[str, str] = {}


def _read_stripe(headers: Headers, body: bytes) -> Signed:
    parts = [part.partition("=") for part in headers.need("stripe-signature").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1:
        raise WebhookMalformed("the header stripe-signature needs exactly one t=")
    at_seconds = _seconds("stripe-signature", times[0])
    # Stripe also sends v0 on test events: only v1 counts.
    signatures = [bytes.fromhex(value) for name, _, value in parts if name == "v1" and _HEX_DIGEST.fullmatch(value)]
    return Signed(
        content=b"%d.%b" % (at_seconds, body), signatures=_some("stripe-signature", signatures), at_seconds=at_seconds
    )


def _read_slack(headers: Headers, body: bytes) -> Signed:
    at_seconds = _seconds("x-slack-request-timestamp", headers.need("x-slack-request-timestamp"))
    signature = _hex_digest(headers, "x-slack-signature", "v0=")
    return Signed(content=b"v0:%d:%b" % (at_seconds, body), signatures=(signature,), at_seconds=at_seconds)


def _read_github(headers: Headers, body: bytes) -> Signed:
    return Signed(content=body, signatures=(_hex_digest(headers, "x-hub-signature-256", "sha256="),))


def _read_standard(headers: Headers, body: bytes) -> Signed:
    prefix = about.standard_prefix(headers)
    message_id = headers.need(f"{prefix}-id")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise WebhookMalformed(f"the header {prefix}-id is not printable ASCII without a period")
    at_seconds = _seconds(f"{prefix}-timestamp", headers.need(f"{prefix}-timestamp"))
    parts = [part.partition(",") for part in headers.need(f"{prefix}-signature").split(" ")]
    signatures = [_base64_digest(value) for version, _, value in parts if version == "v1"]
    if not signatures and any(version == "v1a" for version, _, _ in parts):
        raise WebhookMalformed(
            f"the header {prefix}-signature has ed25519 signatures (v1a) alone, which are not supported: "
            "ask the sender for a symmetric secret (whsec_)"
        )
    return Signed(
        content=b"%b.%d.%b" % (message_id.encode(), at_seconds, body),
        signatures=_some(f"{prefix}-signature", [signature for signature in signatures if signature]),
        at_seconds=at_seconds,
    )


def _seconds(header: str, text: str) -> int:
    if not _SECONDS.fullmatch(text):
        raise WebhookMalformed(f"the time in the header {header} is not a Unix time in plain digits")
    return int(text)


def _hex_digest(headers: Headers, header: str, prefix: str) -> bytes:
    value = headers.need(header)
    # GitHub's X-Hub-Signature with SHA-1 is never read.
    if not value.startswith(prefix) or not _HEX_DIGEST.fullmatch(value, len(prefix)):
        raise WebhookMalformed(f"the header {header} is not {prefix} and 64 hexadecimal digits")
    return bytes.fromhex(value[len(prefix) :])


def _base64_digest(text: str) -> bytes | None:
    try:
        digest = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return digest if len(digest) == _DIGEST_BYTES else None


def _some(header: str, signatures: list[bytes]) -> tuple[bytes, ...]:
    if not signatures:
        raise WebhookMalformed(f"the header {header} has no v1 signature of the right form")
    return tuple(signatures)


def raw_key(secret: str) -> bytes:
    """Use the secret's own characters."""
    if not secret:
        raise ValueError("is empty")
    # Not stripped silently: the sender may really have signed with it.
    if secret != secret.strip():
        raise ValueError("begins or ends with white space, such as the newline that `echo` adds")
    return secret.encode(errors="surrogatepass")  # an encoding error would quote a character of it


def base64_key(secret: str) -> bytes:
    """Decode `whsec_` and base64."""
    raw_key(secret)
    if secret.startswith(("whsk_", "whpk_")):
        raise ValueError("is an ed25519 key (v1a), which is not supported: ask the sender for one that begins whsec_")
    text = secret.removeprefix("whsec_")
    try:
        # A secret that was copied without its padding still has one meaning.
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("is not whsec_ followed by base64")
    return key


STRIPE = Scheme(
    name="stripe",
    read=_read_stripe,
    key=raw_key,
    about=about.of_stripe,
    hint="each Stripe endpoint has its own secret, and so have test and live mode",
)
SLACK = Scheme(
    name="slack",
    read=_read_slack,
    key=raw_key,
    about=about.of_slack,
    hint="Slack's signing secret is on the app's page Basic Information; it is not a token",
    no_retry={"X-Slack-No-Retry": "1"},
)
GITHUB = Scheme(
    name="github",
    read=_read_github,
    key=raw_key,
    about=about.of_github,
    hint="a GitHub webhook signs with its secret as it was when the delivery was made",
)
STANDARD = Scheme(
    name="standard",
    read=_read_standard,
    key=base64_key,
    about=about.of_standard,
    hint="each endpoint has its own secret, which begins with whsec_",
)
