"""A Lambda function that takes the webhooks of Slack, Stripe, GitHub and others. Handler: `webhook_router.handler`.

Each of these variables that is set opens an endpoint; its value says where the signing secret is (a name or ARN in
Secrets Manager, or in a sandbox `amplify:NAME` or `ssm:/path`):

    STRIPE_WEBHOOK_SECRET_ID      /webhooks/stripe
    SLACK_SIGNING_SECRET_ID       /webhooks/slack
    GITHUB_WEBHOOK_SECRET_ID      /webhooks/github
    STANDARD_WEBHOOK_SECRET_ID    /webhooks/standard

    WEBHOOK_QUEUE_URL             a FIFO queue, which `webhook_consumer.py` reads
    WEBHOOK_OVERLAP_SECONDS       how long a previous secret is accepted after a change, 3600 if not set

`infra/` deploys it: `scripts/deploy -c mode=webhooks`, see docs/webhooks.md.
"""

import os
from collections.abc import Iterator
from datetime import timedelta

from token_refresh.reader import SecretReader
from token_refresh.webhooks import GITHUB, SLACK, STANDARD, STRIPE, Receiver, SqsQueue, Verifier

OVERLAP = timedelta(seconds=int(os.environ.get("WEBHOOK_OVERLAP_SECONDS", "3600")))
SCHEMES = {
    "STRIPE_WEBHOOK_SECRET_ID": STRIPE,
    "SLACK_SIGNING_SECRET_ID": SLACK,
    "GITHUB_WEBHOOK_SECRET_ID": GITHUB,
    "STANDARD_WEBHOOK_SECRET_ID": STANDARD,
}


def endpoints() -> Iterator[tuple[str, Verifier]]:
    """Open an endpoint for each secret that is configured."""
    for variable, scheme in SCHEMES.items():
        if secret_id := os.environ.get(variable):
            yield f"/webhooks/{scheme.name}", Verifier(scheme, SecretReader(secret_id, overlap=OVERLAP))


handler = Receiver(dict(endpoints()), deliver_to=SqsQueue(os.environ["WEBHOOK_QUEUE_URL"])).handle
