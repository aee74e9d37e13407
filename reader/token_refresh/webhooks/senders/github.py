"""GitHub signs the body in hex, and no time: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries."""

from typing import Final

from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.metadata import DeliveryMetadata, as_object, digest, identifier, read_payload
from token_refresh.webhooks.scheme import Scheme, SignatureClaim, raw_key, read_hex_digest

_SIGNATURE: Final = "x-hub-signature-256"


def _read(headers: Headers, body: bytes) -> SignatureClaim:
    # X-Hub-Signature with SHA-1 is never read.
    return SignatureClaim(content=body, signatures=(read_hex_digest(headers, _SIGNATURE, "sha256="),))


def _about(headers: Headers, body: bytes) -> DeliveryMetadata:
    kind, delivery_id = headers.get("x-github-event"), headers.get("x-github-delivery")
    message = as_object(read_payload(body)[0])
    # The header alone would let who replays a delivery call it a ping, which is dropped.
    # https://docs.github.com/webhooks/webhook-events-and-payloads#ping
    is_ping = isinstance(message.get("zen"), str) and isinstance(message.get("hook_id"), int)
    if is_ping != (kind == "ping"):
        kind = "ping" if is_ping else None
    return DeliveryMetadata(digest(body), identifier(delivery_id), kind, handshake="" if is_ping else None)


GITHUB: Final = Scheme(
    name="github",
    read=_read,
    key=raw_key,
    about=_about,
    signed_in=(_SIGNATURE,),
    hint="a GitHub webhook signs with its secret as it was when the delivery was made",
)
"""GitHub. Signed: body. Key: SHA-256 of the body. Type: `X-GitHub-Event`, **not signed**."""
