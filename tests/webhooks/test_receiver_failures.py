"""Failures of ours and of what takes the deliveries, and requests that anybody can send, which cost nothing."""

import asyncio
import base64
import logging
from typing import Any

import pytest

from testbed.webhooks.events import headers_of, http_v2, shapes
from testbed.webhooks.setting import Limited, Setting, kinds
from testbed.webhooks.signing import SIGNATURE_HEADER, sent
from token_refresh import errors
from token_refresh.webhooks import (
    SENDERS,
    DeliveryNotQueued,
    EventBus,
    Receiver,
    Scheme,
    SqsQueue,
    WebhookMalformed,
    WebhookNotVerified,
    WebhookTooLarge,
)


@shapes
def test_too_large(setting: Setting, shape: Any) -> None:
    """What the queue can't take because of its size is 413, and Slack is asked not to send it again."""
    setting.error = WebhookTooLarge("too large")
    for kind, says in (("stripe", None), ("slack", "1")):
        request = sent(kind)
        response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body))
        assert (413, "refused") == (response["statusCode"], response["body"])
        assert says == headers_of(response).get("X-Slack-No-Retry")


@shapes
@pytest.mark.parametrize(
    "failure",
    [
        (DeliveryNotQueued("q"), 503, "not_queued", "30"),
        (errors.SecretStoreUnavailable("s"), 503, "secret_unavailable", "30"),
        (errors.SecretNotFound("s"), 503, "secret_unusable", "30"),
        (errors.SecretEmpty("s"), 503, "secret_unusable", "30"),
        (errors.SecretAccessDenied("s"), 503, "secret_unusable", "30"),
        (errors.InvalidSecretDocument("s"), 503, "secret_unusable", "30"),
        (type("Mine", (DeliveryNotQueued,), {})("q"), 503, "not_queued", "30"),
        (KeyError("canary-body"), 500, "defect", None),
    ],
)
def test_failures(
    setting: Setting, shape: Any, failure: tuple[Exception, int, str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    """A failure of ours is 5xx, so that the sender tries again, and an error in the log that names it."""
    error, status, outcome, retry_after = failure
    request = sent("stripe")
    if isinstance(error, errors.SecretStoreError | errors.InvalidSecretDocument):
        setting.secrets["stripe"].error = error
    else:
        setting.error = error
    response = setting.handle(shape("POST", "/webhooks/stripe", request.headers, request.body))
    assert (status, "unavailable") == (response["statusCode"], response["body"])
    assert retry_after == headers_of(response).get("Retry-After")
    (record,) = caplog.records
    assert (logging.ERROR, outcome) == (record.levelno, vars(record)["outcome"])
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        WebhookMalformed("m"),
        WebhookNotVerified("n"),
        errors.SecretStoreUnavailable("s"),
        asyncio.CancelledError("canary"),
    ],
)
def test_error_of_the_function_that_takes_deliveries(
    setting: Setting, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever that function raises, or an asynchronous one returns, is a 500; what ends the process passes through."""

    class Later:
        __await__ = None  # as a coroutine has it

    setting.error = error
    request = sent("slack", b"command=%2Fdeploy&trigger_id=1.2")
    event = http_v2("POST", "/webhooks/slack", request.headers, request.body)
    response = setting.handle(event)
    assert (500, None) == (response["statusCode"], response["headers"].get("X-Slack-No-Retry"))
    assert f"defect: InternalError: deliver_to failed: {type(error).__name__}" in caplog.text
    assert "canary" not in caplog.text
    asynchronous = Receiver(setting.routes, deliver_to=lambda *_: Later())  # type: ignore[arg-type] # as people do
    assert 500 == asynchronous.handle(event)["statusCode"]
    assert "deliver_to failed: ConfigurationError: it is asynchronous" in caplog.text
    for ending in (KeyboardInterrupt, SystemExit):
        setting.error = ending()
        with pytest.raises(ending):
            setting.handle(event)


LIMIT = Limited.limit_bytes


@shapes
@kinds
def test_too_large_for_the_queue(setting: Setting, shape: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that the queue could never take is refused before it is decoded or hashed; one that may fit is not."""
    receiver = Receiver(setting.routes, deliver_to=Limited(setting))
    path = f"/webhooks/{kind}"
    request = sent(kind, b"x" * LIMIT)
    for encoded in (True, False):
        fits = shape("POST", path, request.headers, request.body, encoded=encoded)
        assert 200 == receiver.handle(fits)["statusCode"]
    before = (setting.secrets[kind].lookups, setting.secrets[kind].rejections, len(setting.delivered))
    request = sent(kind, b"x" * (LIMIT + 3))
    whole = shape("POST", path, request.headers, request.body, encoded=True)
    monkeypatch.setattr(base64, "b64decode", None)  # whoever decodes it fails
    monkeypatch.setattr("token_refresh.webhooks.scheme.hmac", None)  # whoever hashes it fails

    assert 413 == receiver.handle(whole)["statusCode"]
    assert 413 == receiver.handle(whole | {"body": "?" * LIMIT * 2})["statusCode"]
    for body in ("x" * (LIMIT + 1), "ü" * (LIMIT - 1)):  # the latter once it is bytes
        assert 413 == receiver.handle(whole | {"body": body, "isBase64Encoded": False})["statusCode"]
    assert before == (setting.secrets[kind].lookups, setting.secrets[kind].rejections, len(setting.delivered))


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
    """At a path without an endpoint, and with another method, no body is decoded; the response says which is right."""
    request = sent("stripe")
    monkeypatch.setattr(base64, "b64decode", None)

    events = [
        shape(method, path, request.headers, request.body, encoded=True)
        for method, path in (("POST", "/"), ("PUT", "/webhooks/stripe"))
    ]

    unknown, refused = [setting.handle(event) for event in events]
    assert (404, 405, "POST") == (unknown["statusCode"], refused["statusCode"], headers_of(refused)["Allow"])


def test_a_scheme_of_ones_own_needs_no_list() -> None:
    """A scheme that doesn't say which headers hold its signature is asked itself, as before."""
    assert all(scheme.signed_in for scheme in SENDERS.values())
    one = SENDERS["stripe"]
    assert () == Scheme(name="own", read=one.read, key=one.key, about=one.about).signed_in
