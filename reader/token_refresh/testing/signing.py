"""Signs a delivery as its sender does."""

import base64
import hmac
from datetime import UTC, datetime

from token_refresh.errors import ConfigurationError
from token_refresh.webhooks import SENDERS, Scheme


def sign(
    scheme: Scheme, body: bytes, secret: str, *, at: datetime | None = None, message_id: str = "msg_test"
) -> dict[str, str]:
    """Return the headers with which a sender signs a body.

    Args:
        scheme: One of `SENDERS`.
        body: The bytes that are sent.
        secret: The signing secret, as the sender shows it.
        at: When it is signed; by default now. GitHub signs no time.
        message_id: The ID of the message, which Standard Webhooks signs.

    Raises:
        ConfigurationError: The scheme is none of `SENDERS`.
        ValueError: The secret has the wrong form.
    """
    seconds = int((at or datetime.now(UTC)).timestamp())
    key = scheme.key(secret)
    match scheme.name:
        case "stripe":
            return {"Stripe-Signature": f"t={seconds},v1={_digest(key, b'%d.%b' % (seconds, body)).hex()}"}
        case "slack":
            signature = _digest(key, b"v0:%d:%b" % (seconds, body)).hex()
            return {"X-Slack-Request-Timestamp": str(seconds), "X-Slack-Signature": f"v0={signature}"}
        case "github":
            return {"X-Hub-Signature-256": f"sha256={_digest(key, body).hex()}"}
        case "standard":
            signature = base64.b64encode(_digest(key, b"%b.%d.%b" % (message_id.encode(), seconds, body))).decode()
            return {"webhook-id": message_id, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}
    raise ConfigurationError(f"sign() knows {', '.join(SENDERS)}, and got another scheme: sign as that sender does")


def _digest(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")
