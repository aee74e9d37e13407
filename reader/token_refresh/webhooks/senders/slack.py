"""Slack signs "v0:t:body" in hex: https://api.slack.com/authentication/verifying-requests-from-slack."""

from typing import Final

from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.metadata import DeliveryMetadata, as_object, identifier, read_payload, signed_id
from token_refresh.webhooks.scheme import Scheme, SignatureClaim, raw_key, read_hex_digest, read_seconds

_TIME = "x-slack-request-timestamp"
_SIGNATURE = "x-slack-signature"


def _read(headers: Headers, body: bytes) -> SignatureClaim:
    at_seconds = read_seconds(_TIME, headers.need(_TIME))
    signature = read_hex_digest(headers, _SIGNATURE, "v0=")
    return SignatureClaim(content=b"v0:%d:%b" % (at_seconds, body), signatures=(signature,), at_seconds=at_seconds)


def _about(_headers: Headers, body: bytes) -> DeliveryMetadata:
    value, form = read_payload(body)
    message = as_object(value)
    challenge = identifier(message.get("challenge"))
    # https://api.slack.com/events/url_verification: sent once, signed like all else.
    if message.get("type") == "url_verification" and challenge:
        return signed_id(body, None, "url_verification", handshake=challenge)
    if form.get("ssl_check") == "1":
        return signed_id(body, None, "ssl_check", handshake="")
    if event := as_object(message.get("event")):
        return signed_id(body, message.get("event_id"), event.get("type"))
    # Commands and interactions have no event ID; trigger_id is theirs alone.
    trigger = message.get("trigger_id") or form.get("trigger_id")
    return signed_id(body, trigger, message.get("type") or form.get("command"))


SLACK: Final = Scheme(
    name="slack",
    read=_read,
    key=raw_key,
    about=_about,
    signed_in=(_SIGNATURE,),
    hint="Slack's signing secret is on the app's page Basic Information; it is not a token",
    no_retry={"X-Slack-No-Retry": "1"},
)
"""Slack. Signed: time, body. Key: `event_id` or `trigger_id` in the body. Type: of event or interaction; command."""
