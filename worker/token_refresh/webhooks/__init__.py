"""Verifies webhooks of Stripe, Slack, GitHub and Standard Webhooks with a secret that may be rotated at any time.

    verifier = Verifier(STRIPE, SecretReader("stripe-webhook-secret", overlap=timedelta(hours=1)))
    handler = Receiver({"/webhooks/stripe": verifier}, deliver_to=SqsQueue(url)).handle  # for Lambda

    delivery = verifier.verify(headers, body)  # anywhere else

See docs/webhooks.md.
"""

from token_refresh.webhooks.delivery import Delivery, VerifiedWith, from_message, to_message
from token_refresh.webhooks.errors import (
    DeliveryNotQueued,
    WebhookError,
    WebhookMalformed,
    WebhookNotVerified,
    WebhookTooLarge,
)
from token_refresh.webhooks.queues import EventBus, SqsQueue
from token_refresh.webhooks.receiver import Receiver
from token_refresh.webhooks.schemes import GITHUB, SLACK, STANDARD, STRIPE, Scheme
from token_refresh.webhooks.verifier import Verifier

__all__ = [
    "GITHUB",
    "SLACK",
    "STANDARD",
    "STRIPE",
    "Delivery",
    "DeliveryNotQueued",
    "EventBus",
    "Receiver",
    "Scheme",
    "SqsQueue",
    "VerifiedWith",
    "Verifier",
    "WebhookError",
    "WebhookMalformed",
    "WebhookNotVerified",
    "WebhookTooLarge",
    "from_message",
    "to_message",
]
