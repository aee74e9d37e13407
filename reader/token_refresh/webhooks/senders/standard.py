"""Standard Webhooks signs "id.t.body" in base64, and sends any number of v1: https://www.standardwebhooks.com."""

import base64
import re
from typing import Final

from token_refresh.webhooks.errors import WebhookMalformed
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.metadata import DeliveryMetadata, as_object, read_payload, signed_id
from token_refresh.webhooks.scheme import Scheme, SignatureClaim, at_least_one, base64_digest, raw_key, read_seconds

# No period: "id.t.body" could be split in two ways.
_MESSAGE_ID = re.compile(r"[!-\-/-~]{1,256}")


def _read(headers: Headers, body: bytes) -> SignatureClaim:
    prefix = _prefix(headers)
    message_id = headers.need(f"{prefix}-id")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise WebhookMalformed(f"the header {prefix}-id is not printable ASCII without a period")
    at_seconds = read_seconds(f"{prefix}-timestamp", headers.need(f"{prefix}-timestamp"))
    parts = [part.partition(",") for part in headers.need(f"{prefix}-signature").split(" ")]
    signatures = [base64_digest(value) for version, _, value in parts if version == "v1"]
    if not signatures and any(version == "v1a" for version, _, _ in parts):
        raise WebhookMalformed(
            f"the header {prefix}-signature has ed25519 signatures (v1a) alone, which are not supported: "
            "ask the sender for a symmetric secret (whsec_)"
        )
    return SignatureClaim(
        content=b"%b.%d.%b" % (message_id.encode(), at_seconds, body),
        signatures=at_least_one(f"{prefix}-signature", [signature for signature in signatures if signature]),
        at_seconds=at_seconds,
    )


def _prefix(headers: Headers) -> str:
    """Say how the headers' names begin: Svix sends its own names for the same thing."""
    return "svix" if "svix-signature" in headers and "webhook-signature" not in headers else "webhook"


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


def _about(headers: Headers, body: bytes) -> DeliveryMetadata:
    return signed_id(body, headers.get(f"{_prefix(headers)}-id"), as_object(read_payload(body)[0]).get("type"))


STANDARD: Final = Scheme(
    name="standard",
    read=_read,
    key=base64_key,
    about=_about,
    signed_in=("webhook-signature", "svix-signature"),
    hint="each endpoint has its own secret, which begins with whsec_",
)
"""Standard Webhooks, Svix. Signed: ID, time, body. Key: the message ID. Type: `type` in the body."""
