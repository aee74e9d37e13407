"""Verifies webhooks of Stripe, Slack, GitHub and Standard Webhooks with a secret that may be rotated at any time.

    verifier = Verifier(STRIPE, SecretReader("stripe-webhook-secret", overlap=timedelta(hours=1)))
    handler = Receiver({"/webhooks/stripe": verifier}, deliver_to=SqsQueue(url)).handle  # for Lambda

    delivery = verifier.verify(headers, body)  # anywhere else

See docs/webhooks.md.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from token_refresh.webhooks.delivery import Delivery, VerifiedWith, from_message, to_message
from token_refresh.webhooks.errors import (
    DeliveryNotQueued,
    WebhookError,
    WebhookMalformed,
    WebhookNotVerified,
    WebhookTooLarge,
)
from token_refresh.webhooks.scheme import Scheme
from token_refresh.webhooks.senders.github import GITHUB
from token_refresh.webhooks.senders.slack import SLACK
from token_refresh.webhooks.senders.standard import STANDARD
from token_refresh.webhooks.senders.stripe import STRIPE
from token_refresh.webhooks.verifier import Verifier

if TYPE_CHECKING:
    from token_refresh.webhooks.queues import EventBus, SqsQueue
    from token_refresh.webhooks.receiver import Receiver

__all__ = [
    "GITHUB",
    "SENDERS",
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

SENDERS: Final[Mapping[str, Scheme]] = {scheme.name: scheme for scheme in (STRIPE, SLACK, GITHUB, STANDARD)}
"""Every sender by its name. Paths, variables, parameters of a deployment and tables of pages follow from it."""

_ON_FIRST_USE: Final = {"EventBus": "queues", "Receiver": "receiver", "SqsQueue": "queues"}


def __getattr__(name: str) -> Any:
    # PEP 562, as in token_refresh.reader: a verifier inside a web framework needs none of these.
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ON_FIRST_USE[name]}"), name)
