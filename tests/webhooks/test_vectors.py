"""What the providers publish for checking an implementation."""

import pytest

from testbed.reader_surroundings import Clock
from testbed.webhooks.fake_secret import FakeSecret
from token_refresh.reader import Runtime
from token_refresh.webhooks import GITHUB, SLACK, STANDARD, STRIPE, Scheme, Verifier

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
STRIPE_BODY = (
    b'{\n  "id": "evt_test_webhook",\n  "object": "event",\n'
    b'  "data": { "object": { "id": "rdr_123", "object": "terminal.reader" } }\n}'
)
VECTORS = {
    # docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    "github": (
        GITHUB,
        "It's a Secret to Everybody",
        0,
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        b"Hello, World!",
    ),
    # api.slack.com/authentication/verifying-requests-from-slack
    "slack": (
        SLACK,
        "8f742231b10e8888abcd99yyyzzz85a5",
        1531420618,
        {
            "X-Slack-Request-Timestamp": "1531420618",
            "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        SLACK_BODY,
    ),
    # standard-webhooks/standard-webhooks, libraries/python: test_sign_function
    "standard": (
        STANDARD,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        1614265330,
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
    ),
    # docs.svix.com/receiving/verifying-payloads/how-manual: the same under Svix's own names
    "svix": (
        STANDARD,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        1614265330,
        {
            "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "svix-timestamp": "1614265330",
            "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
    ),
    # Stripe publishes secret and body (stripe-python, tests/test_webhook.py), and no signature of them.
    "stripe": (
        STRIPE,
        "whsec_test_secret",
        12345,
        {"Stripe-Signature": "t=12345,v1=07b1ede164afb7b5de91267ffa656f568c65d6e0783ce0ac55ee094643578eda"},
        STRIPE_BODY,
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_published_vector(name: str) -> None:
    """Each published vector verifies, and a body of one byte more doesn't."""
    scheme, secret, at, headers, body = VECTORS[name]
    verifier = verifier_at(scheme, secret, at)
    delivery = verifier.verify(headers, body)
    assert (scheme.name, body, "current") == (delivery.source, delivery.body, delivery.verified_with.stage)
    with pytest.raises(Exception, match="no signature fits"):
        verifier.verify(headers, body + b" ")


def verifier_at(scheme: Scheme, secret: str, at: float) -> Verifier:
    return Verifier(scheme, FakeSecret(secret), runtime=Runtime(clock=Clock(at)))
