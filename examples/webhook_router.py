"""A Lambda function that takes the webhooks of Slack, Stripe, GitHub and others. Handler: `webhook_router.handler`.

The variables say where the signing secrets are (a name or ARN in Secrets Manager, or in a sandbox `amplify:NAME` or
`ssm:/path`), and each opens an endpoint; docs/webhooks.md lists the senders:

    STRIPE_WEBHOOK_SECRET_ID      /webhooks/stripe
    GITHUB_WEBHOOK_SECRET_ID      /webhooks/github, and so for each sender

    WEBHOOK_QUEUE_URL             a FIFO queue, which `webhook_consumer.py` reads
    ORIGIN_SECRET_ID              what the header x-origin-verify must say, if a distribution in front adds it
    WEBHOOK_OVERLAP_SECONDS       how long a previous secret is accepted after a change, 3600 if not set

`infra/` deploys it: `scripts/deploy -c mode=webhooks`, see docs/webhooks.md.
"""

import os
from collections.abc import Iterator
from datetime import timedelta

from token_refresh.reader import SecretReader
from token_refresh.webhooks import SENDERS, Receiver, SqsQueue, Verifier

OVERLAP = timedelta(seconds=int(os.environ.get("WEBHOOK_OVERLAP_SECONDS", "3600")))


def endpoints() -> Iterator[tuple[str, Verifier]]:
    """Open an endpoint for each secret that is configured."""
    for scheme in SENDERS.values():
        if secret_id := os.environ.get(scheme.variable):
            yield scheme.path, Verifier(scheme, SecretReader(secret_id, overlap=OVERLAP))


def origin() -> SecretReader | None:
    """Read what a distribution in front adds to each request."""
    secret_id = os.environ.get("ORIGIN_SECRET_ID")
    return SecretReader(secret_id, overlap=OVERLAP) if secret_id else None


handler = Receiver(dict(endpoints()), deliver_to=SqsQueue(os.environ["WEBHOOK_QUEUE_URL"]), origin=origin()).handle
