"""How `fastapi_webhook.py` is tested: `pytest examples/test_fastapi_webhook.py`. It needs neither AWS nor a network."""

from collections.abc import Iterator

import fastapi_webhook as service
import pytest
from fastapi.testclient import TestClient

from token_refresh.testing import FakeSecretReader, sign
from token_refresh.webhooks import STRIPE, Delivery, DeliveryNotQueued, Verifier

SECRET = "whsec_test"  # noqa: S105 - a fake's
BODY = b'{"id": "evt_1", "type": "invoice.paid"}'


@pytest.fixture
def queued() -> Iterator[list[Delivery]]:
    """Put a fake of the secret and of the queue into the service; give what was queued."""
    found: list[Delivery] = []
    service.app.dependency_overrides = {
        service.verifier: lambda: Verifier(STRIPE, FakeSecretReader(SECRET)),
        service.queue: lambda: lambda _route, delivery: found.append(delivery),
    }
    yield found
    service.app.dependency_overrides = {}


def post(body: bytes, headers: dict[str, str] | list[tuple[str, str]]) -> int:
    """Send a request to the service; give the status."""
    response = TestClient(service.app).post("/webhooks/stripe", content=body, headers=headers)
    return int(response.status_code)


def test_a_delivery_is_queued(queued: list[Delivery]) -> None:
    """What Stripe signed is queued."""
    assert post(BODY, sign(STRIPE, BODY, SECRET)) == 200
    assert [delivery.type for delivery in queued] == ["invoice.paid"]


def test_what_is_refused_is_logged(queued: list[Delivery], caplog: pytest.LogCaptureFixture) -> None:
    """What a stranger signed, what nobody signed, and what has two signatures is refused, and the log says why."""
    assert post(BODY, sign(STRIPE, BODY, "whsec_of_a_stranger")) == 401
    assert post(BODY, {}) == 400
    assert post(BODY, [*sign(STRIPE, BODY, SECRET).items(), ("Stripe-Signature", "t=1,v1=0")]) == 400
    assert not queued
    assert "WebhookNotVerified: no signature fits" in caplog.text
    assert "WebhookMalformed: the header stripe-signature is missing" in caplog.text


@pytest.mark.usefixtures("queued")
def test_what_the_queue_refuses_comes_again() -> None:
    """Where the queue takes nothing, Stripe is asked to send it again."""

    def refuse(_route: str, _delivery: Delivery) -> None:
        raise DeliveryNotQueued("the queue is away")

    service.app.dependency_overrides[service.queue] = lambda: refuse
    assert post(BODY, sign(STRIPE, BODY, SECRET)) == 503


def test_a_large_body_is_not_read(queued: list[Delivery]) -> None:
    """A body beyond the limit is refused unread; one of unknown length as soon as it is beyond."""
    begun = []

    def body() -> Iterator[bytes]:
        begun.append("begun")
        yield b" " * (service.LIMIT_BYTES + 1)

    client, too_long = TestClient(service.app), {"Content-Length": str(service.LIMIT_BYTES + 1)}
    assert client.post("/webhooks/stripe", content=body(), headers=too_long).status_code == 413
    assert not begun
    assert client.post("/webhooks/stripe", content=body()).status_code == 413
    assert not queued
