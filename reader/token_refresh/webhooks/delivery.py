"""A verified delivery, and the message in which it travels to its consumer."""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from token_refresh.webhooks.errors import WebhookMalformed
from token_refresh.webhooks.metadata import read_payload


class VerifiedWith(NamedTuple):
    """The secret that a delivery was signed with; when no "previous" comes any more, a rotation is complete.

    Attributes:
        version_id: The version of the secret; it may be logged.
        stage: `current` or `previous`.
    """

    version_id: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One verified delivery; `repr` shows neither its body nor anything derived from it but ID and type.

    Attributes:
        source: Name of the scheme, as in `stripe`.
        key: The same for each copy of a delivery and for no other: what idempotency goes by.
        id: The provider's own name for it. GitHub doesn't sign it.
        type: What happened, as in `invoice.paid`. GitHub doesn't sign it.
        signed_at: When it was signed; None where the provider signs no time.
        received_at: When it was verified.
        current_since: When the current secret was stored, whether or not it signed this delivery.
        verified_with: The secret that signed it.
        body: The bytes as they came.
        handshake: Where the provider only tests the endpoint: what to respond with, and there is nothing to process.
    """

    source: str
    key: str = field(repr=False)
    id: str | None
    type: str | None
    signed_at: datetime | None
    received_at: datetime
    current_since: datetime
    verified_with: VerifiedWith
    body: bytes = field(repr=False)
    handshake: str | None = field(default=None, repr=False)

    def json(self) -> Any:
        """Return the body, parsed: JSON, or a form with JSON in its field `payload`.

        Raises:
            WebhookMalformed: It is neither.
        """
        value = read_payload(self.body)[0]
        if value is None:
            raise WebhookMalformed(f"the body of this {self.source} delivery is not JSON: use form() or body")
        return value

    def form(self) -> dict[str, str]:
        """Return the fields of a form-encoded body, as Slack's commands have it; empty for any other body."""
        return read_payload(self.body)[1]


def to_message(route: str, delivery: Delivery) -> str:
    """Return a delivery as JSON: the body as text, or in base64 where it isn't text that a queue takes.

    Args:
        route: The path that it came to.
        delivery: What `Verifier.verify` returned.
    """
    message = {
        "route": route,
        "source": delivery.source,
        "key": delivery.key,
        "id": delivery.id,
        "type": delivery.type,
        "signed_at": delivery.signed_at and delivery.signed_at.isoformat(),
        "received_at": delivery.received_at.isoformat(),
        "current_since": delivery.current_since.isoformat(),
        "version_id": delivery.verified_with.version_id,
        "stage": delivery.verified_with.stage,
        **_body_fields(delivery.body),
    }
    # Not escaped: a body of Chinese text would triple, and SQS takes 1 MiB.
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def from_message(text: str) -> tuple[str, Delivery]:
    """Return the route and the delivery that `to_message` wrote.

    Args:
        text: The message.

    Raises:
        WebhookMalformed: It is something else.
    """
    try:
        return _read(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # raised below, away from an error that holds the message
    del text
    raise WebhookMalformed("the message is not a delivery that token_refresh.webhooks queued")


def _read(message: dict[str, Any]) -> tuple[str, Delivery]:
    encoded = message.get("body_base64")
    signed_at = message["signed_at"]
    return message["route"], Delivery(
        source=message["source"],
        key=message["key"],
        id=message["id"],
        type=message["type"],
        signed_at=signed_at and datetime.fromisoformat(signed_at),
        received_at=datetime.fromisoformat(message["received_at"]),
        current_since=datetime.fromisoformat(message["current_since"]),
        verified_with=VerifiedWith(message["version_id"], message["stage"]),
        # UTF-8 both ways, so the bytes are those that were signed.
        body=message["body"].encode() if encoded is None else base64.b64decode(encoded, validate=True),
    )


def _body_fields(body: bytes) -> dict[str, str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = None
    # The two characters that SQS refuses and JSON doesn't escape.
    if text is None or "\ufffe" in text or "\uffff" in text:
        return {"body_base64": base64.b64encode(body).decode()}
    return {"body": text}
