"""Requests that anybody can send: they are refused before they cost anything."""

import base64
from typing import Any

import pytest

from testbed.webhooks.events import http_v2, shapes
from testbed.webhooks.setting import Setting, kinds
from testbed.webhooks.signing import SIGNATURE_HEADER, sent
from token_refresh.webhooks import SENDERS, EventBus, Receiver, Scheme, SqsQueue

LIMIT = 1_048_576


class Limited:
    """Takes deliveries of up to 1 MiB, as a queue does."""

    limit_bytes = LIMIT

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def __call__(self, route: str, delivery: Any) -> None:
        self._setting.take(route, delivery)


@shapes
@kinds
def test_too_large_for_the_queue(setting: Setting, shape: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that the queue could never take is refused before it is decoded or hashed, signed or not."""
    receiver = Receiver(setting.routes, deliver_to=Limited(setting))
    request = sent(kind, b"x" * (LIMIT + 3))
    whole = shape("POST", f"/webhooks/{kind}", request.headers, request.body, encoded=True)
    monkeypatch.setattr(base64, "b64decode", None)  # whoever decodes it fails

    assert 413 == receiver.handle(whole)["statusCode"]
    assert 413 == receiver.handle(whole | {"body": "?" * LIMIT * 2})["statusCode"]
    assert 413 == receiver.handle(whole | {"body": "x" * (LIMIT + 1), "isBase64Encoded": False})["statusCode"]
    assert (0, 0, []) == (setting.secrets[kind].lookups, setting.secrets[kind].rejections, setting.delivered)


def test_too_large_once_it_is_bytes(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text whose characters take several bytes each is refused by its bytes, before it is hashed."""
    receiver = Receiver(setting.routes, deliver_to=Limited(setting))
    request = sent("github", "ü".encode() * (LIMIT - 1))
    monkeypatch.setattr("token_refresh.webhooks.scheme.hmac", None)  # whoever hashes it fails

    assert 413 == receiver.handle(http_v2("POST", "/webhooks/github", request.headers, request.body))["statusCode"]
    assert (0, []) == (setting.secrets["github"].lookups, setting.delivered)


def test_the_limit_itself(setting: Setting) -> None:
    """The largest body that may fit is read: how much of it fits, the queue says."""
    receiver = Receiver(setting.routes, deliver_to=Limited(setting))
    request = sent("stripe", b"x" * LIMIT)

    for encoded in (True, False):
        event = http_v2("POST", "/webhooks/stripe", request.headers, request.body, encoded=encoded)
        assert 200 == receiver.handle(event)["statusCode"]


def test_queue_and_bus_have_a_limit(setting: Setting) -> None:
    """A queue and a bus limit what is read; a function of one's own takes what Lambda takes."""
    assert (1_048_576, 1_000_000) == (SqsQueue.limit_bytes, EventBus.limit_bytes)
    request = sent("stripe", b"x" * (LIMIT + 3))
    event = http_v2("POST", "/webhooks/stripe", request.headers, request.body, encoded=True)
    assert 200 == setting.handle(event)["statusCode"]


@shapes
@kinds
def test_without_a_signature(setting: Setting, shape: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without a signature's header is refused before its body is decoded or the secret is looked up."""
    request = sent(kind)
    unsigned = {name: value for name, value in request.headers.items() if name != SIGNATURE_HEADER[kind]}
    event = shape("POST", f"/webhooks/{kind}", unsigned, request.body, encoded=True)
    monkeypatch.setattr(base64, "b64decode", None)

    assert 400 == setting.handle(event)["statusCode"]
    assert (0, 0, []) == (setting.secrets[kind].lookups, setting.secrets[kind].rejections, setting.delivered)


@shapes
def test_nothing_is_decoded_at_another_path(setting: Setting, shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a path without an endpoint, and with another method, no body is decoded."""
    request = sent("stripe")
    monkeypatch.setattr(base64, "b64decode", None)

    events = [
        shape(method, path, request.headers, request.body, encoded=True)
        for method, path in (("POST", "/"), ("PUT", "/webhooks/stripe"))
    ]

    assert [404, 405] == [setting.handle(event)["statusCode"] for event in events]


def test_a_scheme_of_ones_own_needs_no_list() -> None:
    """A scheme that doesn't say which headers hold its signature is asked itself, as before."""
    assert all(scheme.signed_in for scheme in SENDERS.values())
    one = SENDERS["stripe"]
    assert () == Scheme(name="own", read=one.read, key=one.key, about=one.about).signed_in
