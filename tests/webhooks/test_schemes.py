"""What each scheme takes for a request of its provider, published vectors too, and refuses without a secret."""

import base64
import re
from typing import Any

import pytest

from testbed.reader_surroundings import WallClock
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.signing import NOW, standard
from token_refresh.reader import Runtime
from token_refresh.webhooks import GITHUB, SENDERS, SLACK, STANDARD, STRIPE, Verifier, WebhookMalformed
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.scheme import raw_key
from token_refresh.webhooks.senders.standard import base64_key

HEX = "0" * 64
DIGEST = base64.b64encode(bytes(32)).decode()
STANDARD_IDS = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW)}
SIGNED = STANDARD_IDS | {"webhook-signature": f"v1,{DIGEST}"}
SLACK_HEADERS = {"x-slack-request-timestamp": "1", "x-slack-signature": f"v0={HEX}"}
MALFORMED: dict[str, tuple[str, dict[str, str], str]] = {
    "no time": ("stripe", {"stripe-signature": f"v1={HEX}"}, "needs exactly one t="),
    "two times": ("stripe", {"stripe-signature": f"t=1,t=2,v1={HEX}"}, "needs exactly one t="),
    "time in words": ("stripe", {"stripe-signature": f"t=now,v1={HEX}"}, "not a Unix time"),
    "signed time": ("stripe", {"stripe-signature": f"t=+1,v1={HEX}"}, "not a Unix time"),
    "padded time": ("stripe", {"stripe-signature": f"t=01,v1={HEX}"}, "not a Unix time"),
    "time in Arabic digits": ("stripe", {"stripe-signature": f"t=\u0661,v1={HEX}"}, "not a Unix time"),
    "time of 400 digits": ("stripe", {"stripe-signature": f"t={'1' * 400},v1={HEX}"}, "not a Unix time"),
    "test signature alone": ("stripe", {"stripe-signature": f"t=1,v0={HEX}"}, "no v1 signature"),
    "short signature": ("stripe", {"stripe-signature": "t=1,v1=00"}, "no v1 signature"),
    "spaces": ("stripe", {"stripe-signature": f"t=1, v1={HEX}"}, "no v1 signature"),
    "no header": ("stripe", {}, "header stripe-signature is missing"),
    "empty header": ("stripe", {"stripe-signature": ""}, "needs exactly one t="),
    "slack without a time": ("slack", {"x-slack-signature": f"v0={HEX}"}, "x-slack-request-timestamp is missing"),
    "slack without a signature": ("slack", {"x-slack-request-timestamp": "1"}, "x-slack-signature is missing"),
    "slack's time in part": ("slack", SLACK_HEADERS | {"x-slack-request-timestamp": "1.5"}, "not a Unix time"),
    "slack of another version": ("slack", SLACK_HEADERS | {"x-slack-signature": f"v1={HEX}"}, "is not v0= and 64"),
    "github's SHA-1": ("github", {"x-hub-signature": f"sha1={'0' * 40}"}, "x-hub-signature-256 is missing"),
    "github without a prefix": ("github", {"x-hub-signature-256": HEX}, "is not sha256= and 64"),
    "github in capitals": ("github", {"x-hub-signature-256": f"sha256={'A' * 64}"}, "is not sha256= and 64"),
    "github with a newline": ("github", {"x-hub-signature-256": f"sha256={HEX}\n"}, "is not sha256= and 64"),
    "no id": ("standard", {"webhook-timestamp": "1", "webhook-signature": f"v1,{DIGEST}"}, "webhook-id is missing"),
    "id with a period": ("standard", SIGNED | {"webhook-id": "msg.1"}, "printable ASCII without a period"),
    "id with é": ("standard", SIGNED | {"webhook-id": "é"}, "printable ASCII without a period"),
    "no comma": ("standard", STANDARD_IDS | {"webhook-signature": DIGEST}, "no v1 signature"),
    "bad base64": ("standard", STANDARD_IDS | {"webhook-signature": "v1,@@@@"}, "no v1 signature"),
    "a foreign character": ("standard", STANDARD_IDS | {"webhook-signature": f"v1,!{DIGEST}"}, "no v1 signature"),
    "é": ("standard", STANDARD_IDS | {"webhook-signature": "v1,é"}, "no v1 signature"),
    "short digest": ("standard", STANDARD_IDS | {"webhook-signature": "v1,AAAA"}, "no v1 signature"),
    "ed25519 alone": ("standard", STANDARD_IDS | {"webhook-signature": f"v1a,{DIGEST}"}, "ask the sender for a symm"),
}


def read(kind: str, headers: Any) -> Any:
    return SENDERS[kind].read(Headers.of(headers), b"{}")


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    """What a provider never sends is refused with the header's name and what is wrong with it."""
    kind, headers, message = MALFORMED[name]
    with pytest.raises(WebhookMalformed, match=re.escape(message)):
        read(kind, headers)


def test_several_signatures() -> None:
    """Stripe and Standard Webhooks send a signature for each secret; those of other kinds are passed over."""
    header = f"t=1,v1={HEX},v1={'1' * 64},v1=short,v0={HEX},v2=x,novalue"
    signed = read("stripe", {"stripe-signature": header})
    assert (bytes(32), bytes([0x11] * 32)) == signed.signatures
    header = f"v1a,{DIGEST} v1,{DIGEST}  v2,x v1,AA v1,{base64.b64encode(b'1' * 32).decode()}"
    assert (bytes(32), b"1" * 32) == read("standard", STANDARD_IDS | {"webhook-signature": header}).signatures


@pytest.mark.parametrize("kind", SENDERS)
def test_a_receiver_for_several_senders(kind: str) -> None:
    """Each sender has its own path, and its own variable for its signing secret."""
    scheme = SENDERS[kind]
    assert (f"/webhooks/{kind}", f"{kind.upper()}_WEBHOOK_SECRET_ID") == (scheme.path, scheme.variable)


def test_webhook_headers_win_over_svix() -> None:
    """Where a sender gives both sets of names, the standard's own are read, and never a mixture."""
    ours = standard(b"{}", "whsec_AAAA", NOW)
    theirs = {name.replace("webhook", "svix"): "x" for name in ours}
    alone, both = (read("standard", headers) for headers in (ours, ours | theirs))
    assert (alone.content, alone.signatures, alone.at_seconds) == (both.content, both.signatures, both.at_seconds)
    with pytest.raises(WebhookMalformed, match="svix-id is missing"):
        read("standard", {"svix-signature": ours["webhook-signature"], "webhook-id": "msg_1"})


def test_keys() -> None:
    """A key is the secret's own characters, whatever they are, or for Standard Webhooks what its base64 stands for."""
    assert b"whsec_abc" == raw_key("whsec_abc")
    assert b"\xed\xa0\x80" == raw_key("\ud800")
    assert b"\xc3\xa9 inner space" == raw_key("é inner space")
    assert b"12345" == base64_key("whsec_MTIzNDU=") == base64_key("whsec_MTIzNDU") == base64_key("MTIzNDU=")


@pytest.mark.parametrize(
    ("key", "secret", "message"),
    [
        (raw_key, "", "is empty"),
        (raw_key, "canary\n", "white space"),
        (raw_key, " canary", "white space"),
        (base64_key, "", "is empty"),
        (base64_key, "whsec_", "not whsec_ followed by base64"),
        (base64_key, "whsec_canary!", "not whsec_ followed by base64"),
        (base64_key, "whsec_canaryé", "not whsec_ followed by base64"),
        (base64_key, "whsk_canary", "is an ed25519 key"),
        (base64_key, "whpk_canary", "is an ed25519 key"),
    ],
)
def test_key_of_the_wrong_form(key: Any, secret: str, message: str) -> None:
    """A stored secret that can't be one is an error that says why, and not what is stored."""
    with pytest.raises(ValueError, match=message) as caught:
        key(secret)
    assert "canary" not in str(caught.value)


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
    # Stripe publishes secret and body (stripe-python, tests/test_webhook.py), and no signature of them.
    "stripe": (
        STRIPE,
        "whsec_test_secret",
        12345,
        {"Stripe-Signature": "t=12345,v1=07b1ede164afb7b5de91267ffa656f568c65d6e0783ce0ac55ee094643578eda"},
        STRIPE_BODY,
    ),
}
# docs.svix.com/receiving/verifying-payloads/how-manual: the same under Svix's own names
_, KEY, AT, HEADERS, BODY = VECTORS["standard"]
VECTORS["svix"] = (STANDARD, KEY, AT, {name.replace("webhook", "svix"): HEADERS[name] for name in HEADERS}, BODY)


@pytest.mark.parametrize("name", VECTORS)
def test_published_vector(name: str) -> None:
    """Each published vector verifies, and a body of one byte more doesn't."""
    scheme, secret, at, headers, body = VECTORS[name]
    verifier = Verifier(scheme, FakeSecret(secret), runtime=Runtime(clock=WallClock(at)))
    delivery = verifier.verify(headers, body)
    assert (scheme.name, body, "current") == (delivery.source, delivery.body, delivery.verified_with.stage)
    with pytest.raises(Exception, match="no signature fits"):
        verifier.verify(headers, body + b" ")
