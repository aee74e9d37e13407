"""What a delivery is about, and how it travels."""

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import KINDS, sent
from token_refresh.webhooks import WebhookMalformed, from_message, to_message


def verified(kind: str, body: bytes, **headers: str) -> Any:
    request = sent(kind, body)
    return Setting().verifiers[kind].verify(request.headers | headers, body)


def as_json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def as_form(**fields: str) -> bytes:
    return urlencode(fields).encode()


BUTTON = {"type": "block_actions", "trigger_id": "12.3.a"}


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("stripe", as_json(id="evt_9", type="charge.failed"), ("evt_9", "evt_9", "charge.failed")),
        ("stripe", as_json(id=9, type=[]), ("digest", None, None)),
        ("stripe", as_json(id="é", type="a b"), ("digest", None, None)),
        ("stripe", as_json(id="x" * 257, type="x" * 65), ("digest", None, None)),
        ("stripe", b"[]", ("digest", None, None)),
        ("stripe", b"null", ("digest", None, None)),
        ("stripe", b"[" * 100_000, ("digest", None, None)),
        ("stripe", b'{"id": ' + b"9" * 5000 + b"}", ("digest", None, None)),
        ("stripe", b'{"d": "&payload={\\"id\\":\\"evt_8\\"}&", "n": ' + b"9" * 5000 + b"}", ("digest", None, None)),
        ("slack", as_json(event_id="Ev1", event={"text": "&ssl_check=1&payload={}&"}), ("Ev1", "Ev1", None)),
        ("slack", b'{"text": "x&ssl_check=1&", "n": ' + b"9" * 5000 + b"}", ("digest", None, None)),
        ("slack", as_json(type="event_callback", event_id="Ev9", event={"type": "m"}), ("Ev9", "Ev9", "m")),
        ("slack", as_json(type="app_rate_limited"), ("digest", None, "app_rate_limited")),
        ("slack", as_json(type="url_verification", challenge=7), ("digest", None, "url_verification")),
        ("slack", as_form(command="/deploy", trigger_id="1.2.b"), ("1.2.b", "1.2.b", "/deploy")),
        ("slack", as_form(payload=json.dumps(BUTTON)), ("12.3.a", "12.3.a", "block_actions")),
        ("slack", as_form(payload="no json"), ("digest", None, None)),
        ("github", b"{}", ("digest", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "pull_request")),
        ("standard", as_json(type="a.b"), ("msg_1", "msg_1", "a.b")),
    ],
)
def test_about(kind: str, body: bytes, expected: tuple[str, str | None, str | None]) -> None:
    """ID and type are the provider's where they have the form of one; the key is a signed ID, or else a digest."""
    delivery = verified(kind, body)
    key, found_id, found_type = expected
    key = hashlib.sha256(body).hexdigest() if key == "digest" else key
    assert (key, found_id, found_type) == (delivery.key, delivery.id, delivery.type)
    assert delivery.handshake is None


def test_github_headers_never_choose_the_key() -> None:
    """Another `X-GitHub-Delivery`, which isn't signed, makes no other delivery of the same body."""
    one = verified("github", b"{}", **{"X-GitHub-Delivery": "a", "X-GitHub-Event": "push"})
    two = verified("github", b"{}", **{"X-GitHub-Delivery": "b", "X-GitHub-Event": "fork"})
    assert (one.key, "a", "b") == (two.key, one.id, two.id)
    assert one.key != verified("github", b"{} ").key


def test_json_and_form() -> None:
    """A body is parsed as JSON, or as a form, whose `payload` may be JSON."""
    assert {"id": "evt_1"} == verified("stripe", b'{"id": "evt_1"}').json()
    form = verified("slack", as_form(payload=json.dumps(BUTTON), a="1"))
    assert (BUTTON, "1") == (form.json(), form.form()["a"])
    command = verified("slack", b"command=%2Fdeploy&text=&text=second")
    assert {"command": "/deploy", "text": ""} == command.form()
    with pytest.raises(WebhookMalformed, match="this slack delivery is not JSON: use form"):
        command.json()


@given(body=st.binary() | st.text().map(str.encode), kind=st.sampled_from(KINDS))
def test_message(body: bytes, kind: str) -> None:
    """Whatever is delivered comes out of the message with the same bytes, and the message is one that SQS takes."""
    delivery = verified(kind, body)
    message = to_message("/webhooks/x", delivery)
    assert ("/webhooks/x", delivery) == from_message(message)
    assert [] == [c for c in message if ord(c) < 0x20 or 0xD800 <= ord(c) < 0xE000 or ord(c) in (0xFFFE, 0xFFFF)]


def test_message_is_plain() -> None:
    """A body that is text is text in the message, so that a person can read it, and grows little."""
    message = json.loads(to_message("/r", verified("stripe", '{"id": "é"}'.encode())))
    assert '{"id": "é"}' == message["body"]
    assert "body_base64" in json.loads(to_message("/r", verified("stripe", b"\xff")))
    assert "body_base64" in json.loads(to_message("/r", verified("stripe", "\uffff".encode())))


@pytest.mark.parametrize(
    "text", ["", "canary", "[]", "{}", '"canary"', '{"route": "canary", "signed_at": 7}', "[" * 100_000]
)
def test_message_of_others(text: str) -> None:
    """A message that isn't ours, or whose base64 is broken, is an error that says so, and shows nothing of it."""
    message = json.loads(to_message("/r", verified("stripe", b"\xff")))
    for broken in (text, json.dumps(message | {"body_base64": "@@@@"})):
        with pytest.raises(WebhookMalformed, match="not a delivery that token_refresh") as caught:
            from_message(broken)
        assert (None, None) == (caught.value.__cause__, caught.value.__context__)
