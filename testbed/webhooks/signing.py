"""Signs deliveries as the providers document it, with nothing of the product."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from testbed.reader_surroundings import START

NOW = int(START)
SECRETS = {
    "stripe": "whsec_canary_stripe",
    "slack": "canary-slack-8f742231b10e8888abcd",
    "github": "It's a canary to Everybody",
    "standard": "whsec_" + base64.b64encode(b"canary-standard-secret-24").decode(),
}
NEW_SECRETS = {
    **{name: f"{secret}_new" for name, secret in SECRETS.items()},
    "standard": "whsec_" + base64.b64encode(b"canary-standard-secret-new").decode(),
}
BODIES: dict[str, bytes] = {
    "stripe": json.dumps({"id": "evt_1", "object": "event", "type": "invoice.paid", "note": "canary-body"}).encode(),
    "slack": json.dumps(
        {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "text": "canary-body"}}
    ).encode(),
    "github": json.dumps({"action": "opened", "note": "canary-body"}).encode(),
    "standard": json.dumps({"type": "user.created", "note": "canary-body"}).encode(),
}
KINDS = tuple(SECRETS)


@dataclass(frozen=True, kw_only=True)
class SentRequest:
    """One request as a provider sends it."""

    headers: dict[str, str]
    body: bytes
    more: dict[str, Any] = field(default_factory=dict)


def sent(kind: str, body: bytes | None = None, *, secret: str | None = None, at: int = NOW) -> SentRequest:
    """Make a delivery that is signed right."""
    content = BODIES[kind] if body is None else body
    return SentRequest(headers=HEADERS[kind](content, secret or SECRETS[kind], at), body=content)


def stripe(body: bytes, secret: str, at: int) -> dict[str, str]:
    return {
        "Stripe-Signature": f"t={at},v1={hexdigest(secret.encode(), f'{at}.'.encode() + body)},v0={'0' * 64}",
        "Content-Type": "application/json",
    }


def slack(body: bytes, secret: str, at: int) -> dict[str, str]:
    return {
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": f"v0={hexdigest(secret.encode(), f'v0:{at}:'.encode() + body)}",
    }


def github(body: bytes, secret: str, _at: int) -> dict[str, str]:
    return {
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={hexdigest(secret.encode(), body)}",
    }


def standard(body: bytes, secret: str, at: int, message_id: str = "msg_1") -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


HEADERS = {"stripe": stripe, "slack": slack, "github": github, "standard": standard}
SIGNATURE_HEADER = {
    "stripe": "Stripe-Signature",
    "slack": "X-Slack-Signature",
    "github": "X-Hub-Signature-256",
    "standard": "webhook-signature",
}


def hexdigest(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()
