"""A FastAPI service that takes Stripe's webhooks; `test_fastapi_webhook.py` tests it without AWS.

    export STRIPE_WEBHOOK_SECRET_ID=stripe-webhook-secret WEBHOOK_QUEUE_URL=https://...
    uvicorn --app-dir examples fastapi_webhook:app

Needs `pip install PATH/TO/token-refresh-worker/reader fastapi uvicorn`, and AWS credentials that may read the secret
and send to the queue. On a laptop, the secret may be `env:NAME` or `file:PATH`.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response

from token_refresh.reader import SecretReader, TokenRefreshError
from token_refresh.webhooks import STRIPE, Delivery, SqsQueue, Verifier, WebhookError, WebhookTooLarge

LIMIT_BYTES = 1_000_000  # SQS takes no more than 1 MiB.

logger = logging.getLogger("uvicorn.error")
app = FastAPI()


@cache
def verifier() -> Verifier:
    """Share one verifier among all requests: it keeps the secret in memory."""
    return Verifier(STRIPE, SecretReader(os.environ["STRIPE_WEBHOOK_SECRET_ID"], overlap=timedelta(hours=1)))


@cache
def queue() -> Callable[[str, Delivery], object]:
    """Share one queue."""
    return SqsQueue(os.environ["WEBHOOK_QUEUE_URL"])


@app.exception_handler(TokenRefreshError)
async def refuse(_request: Request, error: TokenRefreshError) -> Response:
    """Log why, and give the error's status; its message is for our own log, not for a stranger."""
    logger.warning("delivery refused: %s: %s", type(error).__name__, error)
    return Response(status_code=error.status if isinstance(error, WebhookError) else 503)


async def body_of(request: Request) -> bytes:
    """Refuse a large body before it is read; where its length isn't declared, stop at the limit."""
    too_large = WebhookTooLarge(f"the body has more than {LIMIT_BYTES} bytes")
    if int(request.headers.get("Content-Length", "0")) > LIMIT_BYTES:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT_BYTES:
            raise too_large
    return bytes(body)


@app.post("/webhooks/stripe")
async def stripe(
    request: Request,
    verifier: Annotated[Verifier, Depends(verifier)],
    queue: Annotated[Callable[[str, Delivery], object], Depends(queue)],
) -> Response:
    """Verify the bytes as they came, and say 200 once the queue has them."""
    delivery = await verifier.averify(request.headers, await body_of(request))
    await asyncio.to_thread(queue, "/webhooks/stripe", delivery)
    return Response()
