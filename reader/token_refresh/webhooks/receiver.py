"""Receives webhooks in Lambda: route, verify, deliver, respond, and one log line for each request."""

import hmac
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from token_refresh.errors import (
    ConfigurationError,
    InternalError,
    SecretStoreUnavailable,
    TokenRefreshError,
    detached,
    raised_at,
)
from token_refresh.reader import Secret, SecretReader
from token_refresh.webhooks import lambda_http
from token_refresh.webhooks.delivery import Delivery
from token_refresh.webhooks.errors import DeliveryNotQueued, WebhookMalformed, WebhookNotVerified, WebhookTooLarge
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.queues import Deliver
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


_Facts = dict[str, Any]
"""What the log line says: never a header or a body; of these only an ID and a type."""

_QUOTED: Final = {0x60: "'"}  # a backtick


class Receiver:
    """Lambda's handler for any number of endpoints."""

    def __init__(
        self, routes: Mapping[str, Verifier], *, deliver_to: Deliver, origin: SecretReader | None = None
    ) -> None:
        """Remember who verifies what, and where deliveries go.

        Args:
            routes: The verifier for each path, as in `/webhooks/stripe`.
            deliver_to: Takes `(route, delivery)` and returns once the delivery is safe: an `SqsQueue`, an `EventBus`,
                or a function of your own. What it raises keeps the sender trying.
            origin: A `SecretReader` of what the header `x-origin-verify` must say, where a distribution of your own
                adds it; all other requests get 403.
        """
        self._routes = dict(routes)
        self._deliver_to = deliver_to
        self._limit_bytes: int | None = getattr(deliver_to, "limit_bytes", None)
        self._origin = origin

    def handle(self, event: Any, _context: object = None) -> dict[str, Any]:
        """Handle one event of a function URL, HTTP API, REST API or load balancer; return the response for Lambda.

        Nothing is ever raised: what goes wrong is a status and a line of the log.

        Args:
            event: What Lambda hands to its handler.
            _context: Likewise; it is not used.
        """
        began = time.perf_counter()
        facts: _Facts = {}
        response = self._respond(event, facts)
        _log(facts, response.status, began)
        return lambda_http.render(response, event)

    def _respond(self, event: Any, facts: _Facts) -> lambda_http.Response:
        verifier: Verifier | None = None
        try:
            request = lambda_http.read_request(event)
            if self._origin and (stranger := why_not_from_origin(request.headers, self._origin)):
                facts.update(outcome="not_from_origin", reason=stranger)
                return lambda_http.FORBIDDEN
            verifier = self._routes.get(request.path)
            if verifier is None:
                # Without the path: a stranger chooses it.
                facts.update(outcome="not_found", reason="no route has this path")
                return lambda_http.NOT_FOUND
            facts.update(route=request.path, source=verifier.scheme.name)
            return self._receive(request, verifier, facts)
        # A raised error would be a 502 without a reason, and Lambda's log would hold its traceback.
        except Exception as error:  # noqa: BLE001 - the sender gets a status whatever happens
            problem = detached(error)
        outcome = next((word for kind, word in _OUTCOMES.items() if isinstance(problem, kind)), "secret_unusable")
        facts.update(outcome=outcome, reason=f"{type(problem).__name__}: {problem}")
        return lambda_http.refused(problem, verifier.scheme if verifier else None)

    def _receive(self, request: lambda_http.Request, verifier: Verifier, facts: _Facts) -> lambda_http.Response:
        if request.method != "POST":
            facts.update(outcome="method_not_allowed", reason="webhooks come as POST")
            return lambda_http.METHOD_NOT_ALLOWED
        delivery = verifier.verify(request.headers, self._read(request, verifier, facts))
        # A command stands between backticks in the log, and GitHub's ID is from a header that anybody can write.
        facts.update(delivery_id=delivery.id and delivery.id.translate(_QUOTED), event_type=delivery.type)
        facts["secret_version"], facts["secret_stage"] = delivery.verified_with
        # The alarm `previous-secret` looks at this age where the previous secret is still in use.
        facts["secret_age_seconds"] = round((delivery.received_at - delivery.current_since).total_seconds())
        if delivery.handshake is None:
            self._deliver(request.path, delivery)
        facts["outcome"] = "delivered" if delivery.handshake is None else "handshake"
        return lambda_http.Response(body=delivery.handshake or "")

    def _read(self, request: lambda_http.Request, verifier: Verifier, facts: _Facts) -> bytes:
        """Read the body: of a request that is neither too large nor unsigned, since everybody may send such."""
        self._limit(request.least_bytes, facts)
        verifier.scheme.need_signature(request.headers)
        body = request.read_body()
        self._limit(len(body), facts)  # a character may be four bytes
        return body

    def _limit(self, body_bytes: int, facts: _Facts) -> None:
        facts["body_bytes"] = body_bytes
        if self._limit_bytes is not None and body_bytes > self._limit_bytes:
            raise WebhookTooLarge(f"the body has {body_bytes} bytes, and {self._limit_bytes} are the limit")

    def _deliver(self, route: str, delivery: Delivery) -> None:
        """Hand a delivery over. After its verification only a queue decides what the sender gets."""
        problem: BaseException
        try:
            taken: object = self._deliver_to(route, delivery)
            if not hasattr(taken, "__await__"):
                return
            # Nobody would run the coroutine: a 200 would lose the delivery.
            problem = ConfigurationError("it is asynchronous, and must return once the delivery is safe: asyncio.run()")
        except (DeliveryNotQueued, WebhookTooLarge, KeyboardInterrupt, SystemExit):
            raise
        # A CancelledError of an event loop is no Exception. A WebhookMalformed of `delivery.json()` would be a 400,
        # which no sender repeats.
        except BaseException as error:  # noqa: BLE001 - as in `_respond`
            problem = error
        # The text of an error that is not ours is left out: it may quote what was delivered.
        ours = isinstance(problem, TokenRefreshError)
        why = f"{type(problem).__name__}: {problem}" if ours else raised_at(problem)
        raise InternalError(f"deliver_to failed: {why}")


def _log(facts: _Facts, status: int, began: float) -> None:
    """Write the line where it is noticed: a refusal is a warning, a failure of ours an error."""
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR  # noqa: PLR2004 - HTTP's classes
    reason = f": {facts['reason']}" if "reason" in facts else ""
    text = f"webhook {facts.get('route', '')} {status} {facts['outcome']}{reason}"
    extra = {name: value for name, value in facts.items() if value is not None}
    extra |= {"event": "webhook", "status": status, "duration_ms": round((time.perf_counter() - began) * 1000, 1)}
    logger.log(level, text, extra=extra)


ORIGIN_HEADER: Final = "x-origin-verify"
"""Only one's own CloudFront distribution adds it, so that nobody comes in beside that and its firewall."""


def why_not_from_origin(headers: Headers, secret: SecretReader) -> str | None:
    """Say why a request did not come through the distribution; None if it did.

    Without the header the secret is not looked up. With a wrong one it is read again, as seldom as for a wrong
    signature: it may have been changed.
    """
    given = headers.get(ORIGIN_HEADER)
    if not given:
        return f"the header {ORIGIN_HEADER} is missing"
    accepted = secret.accepted()
    if _fits(given, accepted):
        return None
    secret.reject(accepted[0])
    if (newest := secret.accepted()) != accepted and _fits(given, newest):
        return None
    return f"the header {ORIGIN_HEADER} fits no accepted secret"


def _fits(given: str, accepted: Sequence[Secret]) -> bool:
    """Compare with each one, and in constant time: how long it takes must not tell what fits."""
    value = given.encode(errors="surrogatepass")
    return sum(hmac.compare_digest(value, one.text().encode(errors="surrogatepass")) for one in accepted) > 0
