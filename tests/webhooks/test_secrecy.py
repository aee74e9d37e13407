"""No secret, header or body in a log, an error, a `repr`, or what an error tracker makes of a traceback."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import sentry_sdk

from testbed.webhooks.events import SHAPES
from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import KINDS, SECRETS, SIGNATURE_HEADER, SentRequest, sent
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError
from token_refresh.webhooks import DeliveryNotQueued, SqsQueue, WebhookMalformed, from_message, to_message
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.lambda_http import read_request


class Tracker:
    """The real sentry-sdk with local variables, whose events stay here."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.client = sentry_sdk.Client(
            dsn="http://key@127.0.0.1:9/1",
            before_send=self._keep,
            include_local_variables=True,
            max_value_length=1_000_000,
            default_integrations=False,
        )

    def _keep(self, event: Any, _hint: Any) -> None:
        self.events.append(event)

    def report(self, error: BaseException, *, within: str = "token_refresh") -> str:
        """Report an error; give what would be sent, by default without the frames of the tests."""
        with sentry_sdk.new_scope() as scope:
            scope.set_client(self.client)
            sentry_sdk.capture_exception(error)
        event = self.events.pop()
        for trace in (exception["stacktrace"] for exception in event["exception"]["values"]):
            trace["frames"] = [frame for frame in trace["frames"] if frame["module"].startswith(within)]
        return json.dumps(event, default=repr)


def parts(request: SentRequest) -> list[str]:
    """What must not be found: pieces of the signature and of the body."""
    signatures = [value[-20:] for name, value in request.headers.items() if "ignature" in name.lower()]
    return ["canary", *signatures]


Break = Callable[[Setting, str], SentRequest]
TRACKER = Tracker()


def malformed(_setting: Setting, kind: str) -> SentRequest:
    request = sent(kind)
    return SentRequest(headers=request.headers | {SIGNATURE_HEADER[kind]: "canary-header"}, body=request.body)


def doubled(_setting: Setting, kind: str) -> SentRequest:
    request, name = sent(kind), SIGNATURE_HEADER[kind]
    return SentRequest(
        headers=request.headers | {name.upper(): "canary-header", name.lower(): "canary"}, body=request.body
    )


def forged(_setting: Setting, kind: str) -> SentRequest:
    return sent(kind, secret="whsec_b3RoZXI=")


def late(_setting: Setting, kind: str) -> SentRequest:
    return sent(kind, at=1) if kind != "github" else forged(_setting, kind)


def wrong_secret(setting: Setting, kind: str) -> SentRequest:
    setting.secrets[kind].store("canary-secret \n")
    return sent(kind, secret="whsec_b3RoZXI=")


def binary_secret(setting: Setting, kind: str) -> SentRequest:
    setting.secrets[kind].store(b"canary-secret")
    return sent(kind, secret="whsec_b3RoZXI=")


def unreadable(setting: Setting, kind: str) -> SentRequest:
    setting.secrets[kind].error = SecretStoreUnavailable("down")
    return sent(kind)


def defect(setting: Setting, kind: str) -> SentRequest:
    setting.secrets[kind].cached = (("canary-secret", SECRETS[kind]),)  # type: ignore[assignment] # so that something breaks
    return sent(kind)


BREAKS: tuple[Break, ...] = (malformed, doubled, forged, late, wrong_secret, binary_secret, unreadable, defect)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("broken", BREAKS)
def test_errors(broken: Break, kind: str) -> None:
    """An error tracker that records every local variable of our frames records nothing of what was sent or stored."""
    setting = Setting()
    request = broken(setting, kind)
    verifier = setting.verifiers[kind]
    for verify in (verifier.verify, lambda headers, body: asyncio.run(verifier.averify(headers, body))):
        with pytest.raises(TokenRefreshError) as caught:
            verify(request.headers, request.body)
        report = TRACKER.report(caught.value)
        assert type(caught.value).__name__ in report
        assert [] == [part for part in parts(request) if part in report + repr(caught.value)]
        assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_tracker_records_local_variables() -> None:
    """The tracker of these tests does see local variables: of a frame that has one, it is recorded."""

    def leaks() -> None:
        canary = "canary-local"
        raise ValueError(len(canary))

    with pytest.raises(ValueError, match="12") as caught:
        leaks()
    assert "canary-local" in TRACKER.report(caught.value, within="")


def test_queue_and_message() -> None:
    """Neither a queue's error nor that of a broken message leads to the delivery."""
    request = sent("stripe")
    delivery = Setting().verifiers["stripe"].verify(request.headers, request.body)
    client = Mock()
    client.send_message.side_effect = RuntimeError("canary")
    with pytest.raises(DeliveryNotQueued) as caught:
        SqsQueue("http://127.0.0.1/queue.fifo", client=client)("/r", delivery)
    assert "canary" not in TRACKER.report(caught.value)
    for text in (to_message("/r", delivery)[:-5], "canary", json.dumps({"route": "canary", "signed_at": "canary"})):
        with pytest.raises(WebhookMalformed) as broken:
            from_message(text)
        assert "canary" not in TRACKER.report(broken.value)
    with pytest.raises(WebhookMalformed) as no_json:
        Setting().verifiers["stripe"].verify(sent("stripe", b"canary").headers, b"canary").json()
    assert "canary" not in TRACKER.report(no_json.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("broken", [*BREAKS, None])
def test_logs_and_responses(kind: str, broken: Break | None, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever happens, neither the log, at any level, nor the response quotes what was sent or stored."""
    setting = Setting()
    request = broken(setting, kind) if broken else sent(kind)
    with caplog.at_level(logging.DEBUG):
        for shape in SHAPES.values():
            for path in (f"/webhooks/{kind}", "/canary"):
                response = setting.handle(shape("POST", path, request.headers, request.body))
                assert [] == [part for part in parts(request) if part in repr(response)]
    lines = "".join(f"{record.getMessage()}{vars(record)}" for record in caplog.records)
    assert 2 * len(SHAPES) == len(caplog.records)
    assert [] == [part for part in parts(request) if part in lines]


def test_reprs() -> None:
    """No object of the package shows what it holds."""
    setting, request = Setting(), sent("slack", b'{"type": "url_verification", "challenge": "canary-challenge"}')
    delivery = setting.verifiers["slack"].verify(request.headers, request.body)
    headers = Headers.of(request.headers)
    event = read_request(SHAPES["REST API"]("POST", "/canary", request.headers, request.body))
    scheme = setting.verifiers["slack"].scheme
    parsed = (headers, event, scheme.about(headers, request.body), scheme.read(headers, request.body))
    objects = (setting.receiver, *setting.verifiers.values(), delivery, *parsed)
    shown = "".join(f"{value!r} {value}" for value in objects)
    assert [] == [value for value in ("canary", *request.headers.values()) if value in shown]
    assert delivery.handshake == "canary-challenge"
