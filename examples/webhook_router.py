"""A Lambda function that takes the webhooks of Slack, Stripe, GitHub and others. Handler: `webhook_router.handler`.

The variables say where the signing secrets are (a name or ARN in Secrets Manager, or in a sandbox `amplify:NAME` or
`ssm:/path`), and each opens an endpoint; docs/webhooks.md lists the senders:

    STRIPE_WEBHOOK_SECRET_ID      /webhooks/stripe
    GITHUB_WEBHOOK_SECRET_ID      /webhooks/github, and so for each sender

    WEBHOOK_QUEUE_URL             a FIFO queue, which `webhook_consumer.py` reads
    ORIGIN_SECRET_ID              what the header x-origin-verify must say, if a distribution in front adds it
    WEBHOOK_OVERLAP_SECONDS       how long a previous secret is accepted after a change, 3600 if not set

`scripts/deploy webhooks` deploys it, see docs/webhooks.md. `test_webhooks.py` tests it without AWS.
"""

import os
from collections.abc import Callable
from datetime import timedelta

from token_refresh.reader import SecretReader
from token_refresh.webhooks import SENDERS, Delivery, Receiver, SqsQueue, Verifier

OVERLAP = timedelta(seconds=int(os.environ.get("WEBHOOK_OVERLAP_SECONDS", "3600")))


def secret(variable: str) -> SecretReader | None:
    """Make a reader of the secret that a variable names, if it is set."""
    secret_id = os.environ.get(variable)
    return SecretReader(secret_id, overlap=OVERLAP) if secret_id else None


def receiver(read: Callable[[str], SecretReader | None], deliver_to: Callable[[str, Delivery], None]) -> Receiver:
    """Open an endpoint for each secret that is configured; a test passes fakes."""
    secrets = ((scheme, read(scheme.variable)) for scheme in SENDERS.values())
    endpoints = {scheme.path: Verifier(scheme, found) for scheme, found in secrets if found}
    return Receiver(endpoints, deliver_to=deliver_to, origin=read("ORIGIN_SECRET_ID"))


handler = receiver(secret, SqsQueue(os.environ["WEBHOOK_QUEUE_URL"])).handle
