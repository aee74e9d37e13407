"""How the functions for webhooks are tested: `pytest examples/test_webhooks.py`. It needs neither AWS nor a network."""

import importlib
import json
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from token_refresh.testing import FakeSecretReader, sign
from token_refresh.webhooks import GITHUB, STRIPE, Delivery, Scheme, SqsQueue, Verifier, to_message

SECRET = "whsec_test"  # noqa: S105 - a fake's
BODY = b'{"id": "evt_1", "type": "invoice.paid"}'


class Queue(list[Delivery]):
    """Stands in for the queue, with its limit."""

    limit_bytes = SqsQueue.limit_bytes

    def __call__(self, _route: str, delivery: Delivery) -> None:
        """Keep a delivery."""
        self.append(delivery)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that a module reads when it is loaded; nothing is called before the first delivery."""
    for name, value in {
        "STRIPE_WEBHOOK_SECRET_ID": "stripe",
        "WEBHOOK_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/webhooks.fifo",
        "IDEMPOTENCY_TABLE": "idempotency",
        "POWERTOOLS_IDEMPOTENCY_DISABLED": "1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)


def post(handler: Any, scheme: Scheme, body: bytes = BODY, secret: str = SECRET) -> int:
    """Send a signed request as a function URL does; give the status."""
    event = {
        "version": "2.0",
        "rawPath": scheme.path,
        "headers": {**sign(scheme, body, secret), "x-github-event": "push", "x-github-delivery": "1"},
        "requestContext": {"http": {"method": "POST", "path": scheme.path}},
        "body": body.decode(),
        "isBase64Encoded": False,
    }
    return int(handler(event, None)["statusCode"])


@pytest.mark.usefixtures("configured")
def test_stripe(caplog: pytest.LogCaptureFixture) -> None:
    """What Stripe signed is queued; what a stranger signed and a large body are refused, and the log says why."""
    caplog.set_level("INFO")
    function: ModuleType = importlib.import_module("stripe_webhook")
    queued = Queue()
    handler = function.receiver(FakeSecretReader(SECRET), queued).handle

    assert post(handler, STRIPE) == 200
    assert post(handler, STRIPE, secret="whsec_of_a_stranger") == 401  # noqa: S106 - made up
    assert post(handler, STRIPE, body=b" " * 2_000_000) == 413
    assert [delivery.type for delivery in queued] == ["invoice.paid"]
    assert [getattr(line, "outcome", None) for line in caplog.records] == ["delivered", "not_verified", "too_large"]


@pytest.mark.usefixtures("configured")
def test_router() -> None:
    """An endpoint is open for each secret that is configured, and for no other."""
    function: ModuleType = importlib.import_module("webhook_router")
    secrets = {GITHUB.variable: FakeSecretReader("github")}
    queued = Queue()
    handler = function.receiver(secrets.get, queued).handle

    assert post(handler, GITHUB, secret="github") == 200  # noqa: S106 - made up
    assert post(handler, STRIPE) == 404
    assert [delivery.source for delivery in queued] == ["github"]


@pytest.mark.usefixtures("configured")
def test_consumer(capsys: pytest.CaptureFixture[str]) -> None:
    """A delivery is processed, and the one message that fails comes again."""
    function: ModuleType = importlib.import_module("webhook_consumer")
    verifier = Verifier(STRIPE, FakeSecretReader(SECRET))
    bodies = [
        json.dumps({"id": str(number), "type": f"example.{kind}"}).encode()
        for number, kind in enumerate(("works", "fails"))
    ]
    messages = [to_message("/webhooks/stripe", verifier.verify(sign(STRIPE, body, SECRET), body)) for body in bodies]
    records = [
        {
            "messageId": str(number),
            "body": message,
            "attributes": {"MessageGroupId": str(number)},
            "eventSource": "aws:sqs",
        }
        for number, message in enumerate(messages)
    ]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 10_000, aws_request_id=str(time.time()))

    assert function.handler({"Records": records}, context) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert "stripe example.works" in capsys.readouterr().out
