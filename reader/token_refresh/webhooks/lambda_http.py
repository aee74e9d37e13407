"""Reads Lambda's HTTP events of every kind as one request, and writes the response as Lambda wants it.

    function URL, HTTP API v2   version "2.0", rawPath, lower-case headers
    HTTP API v1                 version "1.0", path, multiValueHeaders
    REST API                    path, httpMethod, multiValueHeaders
    load balancer               requestContext.elb; headers, or multiValueHeaders where the target group says so

    verified and taken by the queue               200, empty
    Slack's url_verification                      200, the challenge
    Slack's ssl_check, GitHub's ping              200, empty; not queued
    not through the distribution in front         403
    another path / method                         404 / 405
    WebhookMalformed, NotVerified, TooLarge       400, 401, 413
    a secret can't be read; the queue refuses     503, Retry-After: 30
    a defect                                      500

A body is decoded to bytes once somebody asks for it. A refusal's body is one word, so that it says nothing about the
secret. Its reason is in the log.

Sources: docs.aws.amazon.com/lambda/latest/dg (urls-invocation, services-alb), apigateway/latest/developerguide
(http-api-develop-integrations-lambda, set-up-lambda-proxy-integrations).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from token_refresh.errors import InternalError, TokenRefreshError
from token_refresh.webhooks.errors import WebhookError, WebhookMalformed, WebhookTooLarge
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.metadata import as_object
from token_refresh.webhooks.scheme import Scheme

# After its first failures a secret is read again within seconds (reader/pauses.py).
RETRY_AFTER_SECONDS = 30


class Request:
    """One HTTP request; `repr` shows nothing of it."""

    __slots__ = ("_is_base64", "_text", "headers", "method", "path")  # not a dataclass, as `SignatureClaim`

    def __init__(self, *, method: str, path: str, headers: Headers, text: Any, is_base64: bool) -> None:
        self.method: Final = method
        self.path: Final = path
        self.headers: Final = headers
        self._text: Final = text
        self._is_base64: Final = is_base64

    @property
    def least_bytes(self) -> int:
        """The size that the body has at least, without decoding it."""
        size = len(self._text) if isinstance(self._text, str) else 0
        return max(0, size // 4 * 3 - 2) if self._is_base64 else size

    def read_body(self) -> bytes:
        """Decode the body; what is neither text nor base64 is malformed."""
        try:
            # UTF-8 either way: `b64decode` by itself skips what isn't base64 and gives other bytes than were signed.
            raw = self._text.encode()
            return base64.b64decode(raw, validate=True) if self._is_base64 else raw
        except (AttributeError, UnicodeEncodeError, binascii.Error):
            pass  # raised below, away from an error that holds the body
        raise WebhookMalformed("the body in the event is neither text nor base64")


def read_request(event: Any) -> Request:
    """Read an event; what is not HTTP is malformed."""
    context = as_object(as_object(event).get("requestContext"))
    http = as_object(context.get("http"))
    method = http.get("method", as_object(event).get("httpMethod"))
    path = as_object(event).get("rawPath", as_object(event).get("path"))
    # A test event of the console, or of another trigger.
    if not isinstance(method, str) or not isinstance(path, str):
        raise WebhookMalformed("the event is none of a function URL, an API Gateway or a load balancer")
    # The stage's name, with which an HTTP API's paths begin unless the stage is `$default`.
    stage = f"/{context.get('stage')}"
    if event.get("version") in ("1.0", "2.0") and path.startswith(f"{stage}/"):
        path = path[len(stage) :]
    return Request(
        method=method.upper(),
        path=path,
        headers=Headers(_header_pairs(event)),
        text=event.get("body") or "",
        is_base64=event.get("isBase64Encoded") is True,
    )


def _header_pairs(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return each header as often as it came."""
    # First the lists: `headers` keeps only the last of a repeated header.
    lists = as_object(event.get("multiValueHeaders"))
    if not lists:
        lists = {name: [value] for name, value in as_object(event.get("headers")).items()}
    for name, values in lists.items():
        for value in values if isinstance(values, list) else [None]:
            if not isinstance(value, str):
                raise WebhookMalformed("a header in the event is not text")
            yield name, value


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


def render(response: Response, event: Any) -> dict[str, Any]:
    """Write a response as the source of an event takes it: with lists, for a load balancer that sends lists."""
    context = as_object(as_object(event).get("requestContext"))
    with_lists = "elb" in context and "multiValueHeaders" in event
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", **response.headers}
    return {
        "statusCode": response.status,
        "statusDescription": f"{response.status} {HTTPStatus(response.status).phrase}",  # load balancers want it
        "body": response.body,
        "isBase64Encoded": False,
        **(
            {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
            if with_lists
            else {"headers": headers}
        ),
    }
