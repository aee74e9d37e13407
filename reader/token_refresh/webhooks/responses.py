"""What a sender gets, and in the form that Lambda wants it.

    verified and taken by the queue               200, empty
    Slack's url_verification                      200, the challenge
    Slack's ssl_check, GitHub's ping              200, empty; not queued
    not through the distribution in front         403
    another path / method                         404 / 405
    WebhookMalformed, NotVerified, TooLarge       400, 401, 413
    a secret can't be read; the queue refuses     503, Retry-After: 30
    a defect                                      500

A refusal's body is one word, so that it says nothing about the secret. Its reason is in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from token_refresh.errors import InternalError, TokenRefreshError
from token_refresh.webhooks.errors import WebhookError, WebhookMalformed, WebhookTooLarge
from token_refresh.webhooks.scheme import Scheme

# After its first failures a secret is read again within seconds (reader/pauses.py).
RETRY_AFTER_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP response."""

    status: int = 200
    body: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


FORBIDDEN = Response(status=403, body="refused")
NOT_FOUND = Response(status=404, body="refused")
METHOD_NOT_ALLOWED = Response(status=405, body="refused", headers={"Allow": "POST"})


def refused(error: TokenRefreshError, scheme: Scheme | None) -> Response:
    """Refuse a delivery: permanently, or with a request to retry."""
    # Without Retry-After: a defect does not pass in half a minute.
    if isinstance(error, InternalError):
        return Response(status=500, body="unavailable")
    status = error.status if isinstance(error, WebhookError) else 503
    if status >= 500:  # noqa: PLR2004 - a server error: trying again helps
        return Response(status=status, body="unavailable", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    # Not with a 401: while a new secret is on its way here, the retry of a genuine delivery succeeds.
    hopeless = isinstance(error, WebhookMalformed | WebhookTooLarge) and scheme
    return Response(status=status, body="refused", headers=scheme.no_retry if hopeless and scheme else {})


def render(response: Response, *, multi_value_headers: bool) -> dict[str, Any]:
    """Write a response as Lambda's HTTP sources take it."""
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", **response.headers}
    return {
        "statusCode": response.status,
        "statusDescription": f"{response.status} {HTTPStatus(response.status).phrase}",  # load balancers want it
        "body": response.body,
        "isBase64Encoded": False,
        **(
            {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
            if multi_value_headers
            else {"headers": headers}
        ),
    }
