"""What each scheme takes for a request of its provider, and what it refuses without looking at a secret."""

import base64
import re
from typing import Any

import pytest

from testbed.webhooks.signing import NOW, sent, standard
from token_refresh.webhooks import SENDERS, Scheme, WebhookMalformed
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.scheme import raw_key
from token_refresh.webhooks.senders.standard import base64_key

HEX = "0" * 64
DIGEST = base64.b64encode(bytes(32)).decode()
STANDARD_IDS = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW)}
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
    "slack's time with a fraction": (
        "slack",
        {"x-slack-request-timestamp": "1.5", "x-slack-signature": f"v0={HEX}"},
        "not a Unix time",
    ),
    "slack of another version": (
        "slack",
        {"x-slack-request-timestamp": "1", "x-slack-signature": f"v1={HEX}"},
        "is not v0= and 64",
    ),
    "github's SHA-1": ("github", {"x-hub-signature": f"sha1={'0' * 40}"}, "x-hub-signature-256 is missing"),
    "github without a prefix": ("github", {"x-hub-signature-256": HEX}, "is not sha256= and 64"),
    "github in capitals": ("github", {"x-hub-signature-256": f"sha256={'A' * 64}"}, "is not sha256= and 64"),
    "github with a newline": ("github", {"x-hub-signature-256": f"sha256={HEX}\n"}, "is not sha256= and 64"),
    "no id": ("standard", {"webhook-timestamp": "1", "webhook-signature": f"v1,{DIGEST}"}, "webhook-id is missing"),
    "id with a period": (
        "standard",
        STANDARD_IDS | {"webhook-id": "msg.1", "webhook-signature": f"v1,{DIGEST}"},
        "printable ASCII without a period",
    ),
    "id with é": (
        "standard",
        STANDARD_IDS | {"webhook-id": "é", "webhook-signature": f"v1,{DIGEST}"},
        "printable ASCII without a period",
    ),
    "no comma": ("standard", STANDARD_IDS | {"webhook-signature": DIGEST}, "no v1 signature"),
    "bad base64": ("standard", STANDARD_IDS | {"webhook-signature": "v1,@@@@"}, "no v1 signature"),
    "é": ("standard", STANDARD_IDS | {"webhook-signature": "v1,é"}, "no v1 signature"),
    "short digest": ("standard", STANDARD_IDS | {"webhook-signature": "v1,AAAA"}, "no v1 signature"),
    "ed25519 alone": ("standard", STANDARD_IDS | {"webhook-signature": f"v1a,{DIGEST}"}, "ask the sender for a symm"),
}


def read(kind: str, headers: Any, body: bytes = b"{}") -> Any:
    return SENDERS[kind].read(Headers.of(headers), body)


def parts(kind: str, headers: Any, body: bytes = b"{}") -> tuple[Any, ...]:
    signed = read(kind, headers, body)
    return signed.content, signed.signatures, signed.at_seconds


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


@pytest.mark.parametrize("kind", SENDERS)
def test_headers_in_any_case(kind: str) -> None:
    """The names of headers are the same in any case."""
    request = sent(kind)
    shouted = {name.upper(): value for name, value in request.headers.items()}
    assert parts(kind, request.headers, request.body) == parts(kind, shouted, request.body)


def test_webhook_headers_win_over_svix() -> None:
    """Where a sender gives both sets of names, the standard's own are read, and never a mixture."""
    ours = standard(b"{}", "whsec_AAAA", NOW)
    theirs = {name.replace("webhook", "svix"): "x" for name in ours}
    assert parts("standard", ours) == parts("standard", ours | theirs)
    with pytest.raises(WebhookMalformed, match="svix-id is missing"):
        read("standard", {"svix-signature": ours["webhook-signature"], "webhook-id": "msg_1"})


@pytest.mark.parametrize("scheme", SENDERS.values(), ids=SENDERS)
def test_signed_request_hides_its_content(scheme: Scheme) -> None:
    """Neither headers nor what was read of them show in a `repr`."""
    request = sent(scheme.name)
    headers = Headers.of(request.headers)
    shown = repr(scheme.read(headers, request.body)) + repr(headers)
    assert [] == [value for value in request.headers.values() if value in shown]
    assert "canary" not in shown
    assert f"<{len(request.headers)} headers>" == repr(headers)


def test_keys() -> None:
    """A key is the secret's own characters, or for Standard Webhooks what its base64 stands for."""
    assert b"whsec_abc" == raw_key("whsec_abc")
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


def test_secret_with_half_a_character() -> None:
    """A secret that can't be encoded makes a key that fits nothing, and no error that quotes it."""
    assert b"\xed\xa0\x80" == raw_key("\ud800")
