"""Stripe signs "t.body" in hex, and sends any number of v1: https://docs.stripe.com/webhooks."""

from typing import Final

from token_refresh.webhooks.errors import WebhookMalformed
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.metadata import DeliveryMetadata, as_object, read_payload, signed_id
from token_refresh.webhooks.scheme import HEX_DIGEST, Scheme, SignatureClaim, at_least_one, raw_key, read_seconds

_SIGNATURE = "stripe-signature"


def _read(headers: Headers, body: bytes) -> SignatureClaim:
    parts = [part.partition("=") for part in headers.need(_SIGNATURE).split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1:
        raise WebhookMalformed(f"the header {_SIGNATURE} needs exactly one t=")
    at_seconds = read_seconds(_SIGNATURE, times[0])
    # Stripe also sends v0 on test events: only v1 counts.
    signatures = [bytes.fromhex(value) for name, _, value in parts if name == "v1" and HEX_DIGEST.fullmatch(value)]
    return SignatureClaim(
        content=b"%d.%b" % (at_seconds, body), signatures=at_least_one(_SIGNATURE, signatures), at_seconds=at_seconds
    )


def _about(_headers: Headers, body: bytes) -> DeliveryMetadata:
    event = as_object(read_payload(body)[0])
    return signed_id(body, event.get("id"), event.get("type"))


STRIPE: Final = Scheme(
    name="stripe",
    read=_read,
    key=raw_key,
    about=_about,
    signed_in=(_SIGNATURE,),
    hint="each Stripe endpoint has its own secret, and so have test and live mode",
)
"""Stripe. Signed: time, body. Key: `id` in the body. Type: `type` in the body."""
