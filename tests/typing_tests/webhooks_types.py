"""What type checkers conclude about the webhooks; mypy checks this file, nothing runs it."""

from datetime import timedelta
from typing import Any, assert_type

from token_refresh.reader import SecretReader
from token_refresh.testing import FakeSecretReader
from token_refresh.webhooks import (
    STRIPE,
    Delivery,
    DeliveryNotQueued,
    EventBus,
    Receiver,
    SqsQueue,
    VerifiedWith,
    Verifier,
    from_message,
    to_message,
)

secret = SecretReader("stripe-webhook-secret", overlap=timedelta(hours=1))
verifier = Verifier(STRIPE, secret, tolerance=timedelta(minutes=5))
delivery = verifier.verify({"Stripe-Signature": "t=1,v1=0"}, b"{}")
assert_type(delivery, Delivery)
assert_type(delivery.key, str)
assert_type(delivery.body, bytes)
assert_type(delivery.json(), Any)
assert_type(delivery.verified_with, VerifiedWith)
assert_type(from_message(to_message("/webhooks/stripe", delivery)), tuple[str, Delivery])


async def receive() -> None:
    """Verify without blocking the event loop."""
    assert_type(await verifier.averify({}, b""), Delivery)


def store(route: str, delivery: Delivery) -> None:
    """Deliver to a place of one's own."""
    raise DeliveryNotQueued(f"{route}: {delivery.key}")


assert_type(Receiver({"/webhooks/stripe": verifier}, deliver_to=SqsQueue("url")).handle({}), dict[str, Any])
Receiver({"/webhooks/stripe": verifier}, deliver_to=EventBus("events"))
Receiver({"/webhooks/stripe": verifier}, deliver_to=store)
assert_type(DeliveryNotQueued("").status, int)

a_fake_will_do = Verifier(STRIPE, FakeSecretReader())

delivery.key = "other"  # type: ignore[misc]  # frozen
Verifier(STRIPE, "whsec_a")  # type: ignore[arg-type]  # a reader, so that the secret can be rotated
Verifier(STRIPE, secret, tolerance=300)  # type: ignore[arg-type]  # a timedelta
verifier.verify({}, "{}")  # type: ignore[arg-type]  # bytes, as they came
Receiver({"/webhooks/stripe": verifier}, SqsQueue("url"))  # type: ignore[call-arg]  # options are named
