"""A Lambda function that takes Stripe's webhooks and puts them into a queue. Handler: `stripe_webhook.handler`.

`test_webhooks.py` tests it without AWS.

    STRIPE_WEBHOOK_SECRET_ID   the endpoint's signing secret (whsec_...): a name or ARN in Secrets Manager, or in a
                               sandbox `amplify:STRIPE_WEBHOOK_SECRET` or `ssm:/path`
    WEBHOOK_QUEUE_URL          a FIFO queue

The role needs `secretsmanager:GetSecretValue` on the secret and `sqs:SendMessage` on the queue. Give the function
512 MB, a function URL, and Stripe the address `https://.../webhooks/stripe`. Each request is one line of its log, with
why it was refused; a large body is refused before it is decoded.
"""

import os
from collections.abc import Callable
from datetime import timedelta

from token_refresh.reader import SecretReader
from token_refresh.webhooks import STRIPE, Delivery, Receiver, SqsQueue, Verifier


def receiver(secret: SecretReader, deliver_to: Callable[[str, Delivery], None]) -> Receiver:
    """Make the receiver; a test passes fakes."""
    return Receiver({"/webhooks/stripe": Verifier(STRIPE, secret)}, deliver_to=deliver_to)


# While the secret is rotated, deliveries that are signed with the previous one are accepted for another hour.
SECRET = SecretReader(os.environ["STRIPE_WEBHOOK_SECRET_ID"], overlap=timedelta(hours=1))
handler = receiver(SECRET, SqsQueue(os.environ["WEBHOOK_QUEUE_URL"])).handle
