"""A FastAPI service that takes Stripe's webhooks.

    STRIPE_WEBHOOK_SECRET_ID=stripe-webhook-secret WEBHOOK_QUEUE_URL=https://... uvicorn fastapi_webhook:app

Needs `pip install token-refresh fastapi uvicorn`, and AWS credentials that may read the secret and send to the
queue. On a laptop, `env:NAME` or `file:PATH` will do as the secret.
"""

import asyncio
import os
from datetime import timedelta

from fastapi import FastAPI, Request, Response

from token_refresh.reader import SecretReader, TokenRefreshError
from token_refresh.webhooks import STRIPE, SqsQueue, Verifier, WebhookError

SECRET = SecretReader(os.environ["STRIPE_WEBHOOK_SECRET_ID"], overlap=timedelta(hours=1))
VERIFIER = Verifier(STRIPE, SECRET)
QUEUE = SqsQueue(os.environ["WEBHOOK_QUEUE_URL"])

app = FastAPI()


@app.exception_handler(TokenRefreshError)
async def refuse(_request: Request, error: TokenRefreshError) -> Response:
    """Give the error's status; its message is for our own log, not for a stranger."""
    return Response(status_code=error.status if isinstance(error, WebhookError) else 503)


@app.post("/webhooks/stripe")
async def stripe(request: Request) -> Response:
    """Verify the bytes as they came, and say 200 once the queue has them."""
    delivery = await VERIFIER.averify(request.headers, await request.body())
    await asyncio.to_thread(QUEUE, "/webhooks/stripe", delivery)
    return Response()
