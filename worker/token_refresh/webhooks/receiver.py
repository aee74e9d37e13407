"""Receives webhooks in Lambda: route, verify, deliver, respond, and one log line for each request."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from token_refresh.errors import InternalError, SecretStoreUnavailable, TokenRefreshError
from token_refresh.webhooks import responses
from token_refresh.webhooks.delivery import Delivery
from token_refresh.webhooks.errors import (
    DeliveryNotQueued,
    WebhookMalformed,
    WebhookNotVerified,
    WebhookTooLarge,
    place_of,
)
from token_refresh.webhooks.queues import Deliver
from token_refresh.webhooks.request import Request, read_request, wants_multi_value_headers
from token_refresh.webhooks.responses import Response
from token_refresh.webhooks.verifier import Verifier

logger = logging.getLogger("token_refresh.webhooks")

_OUTCOMES: dict[type[TokenRefreshError], str] = {
    WebhookMalformed: "malformed",
    WebhookNotVerified: "not_verified",
    WebhookTooLarge: "too_large",
    DeliveryNotQueued: "not_queued",
    SecretStoreUnavailable: "secret_unavailable",
    InternalError: "defect",
}
"""The word for each error in the log; any other one is about the secret that is stored."""


@dataclass(slots=True)
class _Line:
    """The log line: never a header or a body; of these only an ID and a type."""

    outcome: str = "defect"
    reason: str | None = None
    route: str | None = None
    source: str | None = None
    body_bytes: int | None = None
    delivery_id: str | None = None
    event_type: str | None = None
    secret_version: str | None = None
    secret_stage: str | None = None
    secret_age_seconds: int | None = None
    """How long ago the current secret was stored: an alarm looks at it where a previous one is still in use."""

    def note(self, delivery: Delivery) -> None:
        self.delivery_id, self.event_type = delivery.id, delivery.type
        self.secret_version, self.secret_stage = delivery.verified_with
        self.secret_age_seconds = round((delivery.received_at - delivery.current_since).total_seconds())

    def write(self, status: int, began: float) -> None:
        """Write it where it is noticed: a refusal is a warning, a failure of ours an error."""
        level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR  # noqa: PLR2004 - HTTP's classes
        facts = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        facts |= {"event": "webhook", "status": status, "duration_ms": round((time.perf_counter() - began) * 1000, 1)}
        text = f"webhook {self.route or ''} {status} {self.outcome}" + (f": {self.reason}" if self.reason else "")
        logger.log(level, text, extra=facts)


class Receiver:
    """Lambda's handler for any number of endpoints."""

    def __init__(self, routes: Mapping[str, Verifier], *, deliver_to: Deliver) -> None:
        """Remember who verifies what.

        Args:
            routes: The verifier for each path, as in `/webhooks/stripe`.
            deliver_to: Takes `(route, delivery)` and returns once the delivery is safe: an `SqsQueue`, an `EventBus`,
                or a function of your own. What it raises keeps the sender trying.
        """
        self._routes = dict(routes)
        self._deliver_to = deliver_to

    def handle(self, event: Any, _context: object = None) -> dict[str, Any]:
        """Handle one event of a function URL, HTTP API, REST API or load balancer; nothing is ever raised."""
        began = time.perf_counter()
        line = _Line()
        response = self._respond(event, line)
        line.write(response.status, began)
        return responses.render(response, multi_value_headers=wants_multi_value_headers(event))

    def _respond(self, event: Any, line: _Line) -> Response:
        verifier: Verifier | None = None
        try:
            request = read_request(event)
            verifier = self._routes.get(request.path)
            if verifier is None:
                line.outcome, line.reason = "not_found", "no route has this path"
                return responses.NOT_FOUND
            line.route, line.source, line.body_bytes = request.path, verifier.scheme.name, len(request.body)
            return self._receive(request, verifier, line)
        except Exception as error:  # noqa: BLE001 - the sender gets a status whatever happens
            problem = _named(error)
        line.outcome = next((word for kind, word in _OUTCOMES.items() if isinstance(problem, kind)), "secret_unusable")
        line.reason = f"{type(problem).__name__}: {problem}"
        return responses.refused(problem, verifier.scheme if verifier else None)

    def _receive(self, request: Request, verifier: Verifier, line: _Line) -> Response:
        if request.method != "POST":
            line.outcome, line.reason = "method_not_allowed", "webhooks come as POST"
            return responses.METHOD_NOT_ALLOWED
        delivery = verifier.verify(request.headers, request.body)
        line.note(delivery)
        if delivery.handshake is None:
            self._deliver_to(request.path, delivery)
        line.outcome = "delivered" if delivery.handshake is None else "handshake"
        return responses.accepted(delivery.handshake)


def _named(error: Exception) -> TokenRefreshError:
    """Name what happened. The text of an unknown error is left out: it may quote what was delivered."""
    if isinstance(error, TokenRefreshError):
        return error
    return InternalError(f"{type(error).__name__} at {place_of(error)}; see docs/webhooks.md")
