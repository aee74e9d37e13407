"""The table of responses, in each shape of event."""

import asyncio
import json
import logging
from typing import Any

import pytest

from token_refresh import errors
from token_refresh.webhooks import (
    DeliveryNotQueued,
    Receiver,
    WebhookMalformed,
    WebhookNotVerified,
    WebhookTooLarge,
)
from webhooks.events import SHAPES, http_v2
from webhooks.setting import Setting
from webhooks.signing import KINDS, NOW, SIGNATURE_HEADER, sent

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
kinds = pytest.mark.parametrize("kind", KINDS)


PATHS_OF_ONE_ROUTE = ("/prod/webhooks/stripe", "/webhooks/stripe")


def headers_of(response: dict[str, Any]) -> dict[str, str]:
    lists = response.get("multiValueHeaders")
    return {name: values[0] for name, values in lists.items()} if lists else response["headers"]


@shapes
@kinds
@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
def test_verified(setting: Setting, shape: Any, kind: str, *, encoded: bool) -> None:
    """A verified delivery is delivered with its very bytes, and the sender gets 200 and nothing else."""
    request = sent(kind)
    response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body, encoded=encoded))
    assert (200, "", False) == (response["statusCode"], response["body"], response["isBase64Encoded"])
    ((route, delivery),) = setting.delivered
    assert (f"/webhooks/{kind}", kind, request.body) == (route, delivery.source, delivery.body)


@shapes
@kinds
def test_not_json_is_delivered_too(setting: Setting, shape: Any, kind: str) -> None:
    """What a provider signs is delivered whatever it is: bytes that are neither JSON nor text as well."""
    request = sent(kind, b"\xff\x00 not json")
    response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body, encoded=True))
    assert 200 == response["statusCode"]
    assert request.body == setting.delivered[0][1].body


@shapes
def test_slack_challenge(setting: Setting, shape: Any) -> None:
    """Slack's signed challenge is returned as text and not delivered; an unsigned one is refused."""
    body = json.dumps({"type": "url_verification", "token": "Jhj5dZrVaK7ZwHHj", "challenge": "3eZbrw1aBm2rZgRN"})
    request = sent("slack", body.encode())
    response = setting.handle(shape("POST", "/webhooks/slack", request.headers, request.body))
    assert (200, "3eZbrw1aBm2rZgRN") == (response["statusCode"], response["body"])
    assert headers_of(response)["Content-Type"].startswith("text/plain")
    forged = setting.handle(shape("POST", "/webhooks/slack", request.headers, request.body + b" "))
    assert (401, "refused") == (forged["statusCode"], forged["body"])
    assert [] == setting.delivered


@shapes
def test_probes(setting: Setting, shape: Any) -> None:
    """Slack's `ssl_check` and GitHub's ping, signed, get an empty 200 and are not delivered."""
    probe = sent("slack", b"ssl_check=1&token=t")
    ping = sent("github", b'{"zen": "Keep it logically awesome."}')
    for kind, request, more in (("slack", probe, {}), ("github", ping, {"X-GitHub-Event": "ping"})):
        response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers | more, request.body))
        assert (200, "") == (response["statusCode"], response["body"])
    assert [] == setting.delivered


@shapes
def test_another_path_or_method(setting: Setting, shape: Any) -> None:
    """Another path is 404; another method is 405 and says which one is right."""
    request = sent("stripe")
    assert 404 == setting.handle(shape("POST", "/webhooks", request.headers, request.body))["statusCode"]
    assert 404 == setting.handle(shape("GET", "/", {}, b""))["statusCode"]
    refused = setting.handle(shape("GET", "/webhooks/stripe", request.headers, request.body))
    assert (405, "POST") == (refused["statusCode"], headers_of(refused)["Allow"])
    assert [] == setting.delivered


@shapes
@kinds
def test_malformed(setting: Setting, shape: Any, kind: str) -> None:
    """A signature header that is missing or garbled, or a body that isn't base64, is 400 and costs no read."""
    request, name = sent(kind), SIGNATURE_HEADER[kind]
    missing = {key: value for key, value in request.headers.items() if key != name}
    garbled = request.headers | {name: "é" * 64}
    path = f"/webhooks/{kind}"
    events = [
        shape("POST", path, missing, request.body),
        shape("POST", path, garbled, request.body),
        shape("POST", path, request.headers, request.body) | {"body": "no base64!", "isBase64Encoded": True},
        shape("POST", path, request.headers, request.body) | {"body": "\ud800"},
        shape("POST", path, request.headers, request.body) | {"body": ["list"]},
    ]
    responses = [setting.handle(event) for event in events]
    assert [400] * len(events) == [response["statusCode"] for response in responses]
    assert {"refused"} == {response["body"] for response in responses}
    assert (0, []) == (setting.secrets[kind].rejections, setting.delivered)
    slack_says = "1" if kind == "slack" else None
    assert slack_says == headers_of(responses[0]).get("X-Slack-No-Retry")


@kinds
def test_doubled_header(setting: Setting, kind: str) -> None:
    """A signature header that comes twice is refused, in lists, in two spellings, or joined by the API."""
    request, name = sent(kind), SIGNATURE_HEADER[kind]
    value, path = request.headers[name], f"/webhooks/{kind}"
    for shape_name in ("REST API", "load balancer, multi-value headers"):
        event = SHAPES[shape_name]("POST", path, request.headers, request.body)
        lists = event["multiValueHeaders"]
        (key,) = [key for key in lists if key.lower() == name.lower()]
        assert 400 == setting.handle(event | {"multiValueHeaders": lists | {key: [value, value]}})["statusCode"]
    event = SHAPES["load balancer"]("POST", path, request.headers, request.body)
    assert 400 == setting.handle(event | {"headers": event["headers"] | {name.upper(): value}})["statusCode"]
    joined = request.headers | {name: f"{value},{value}"}
    assert 400 == setting.handle(http_v2("POST", path, joined, request.body))["statusCode"]
    assert [] == setting.delivered


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        {},
        {"Records": []},
        {"requestContext": None},
        {"requestContext": {"http": {"method": 1}}, "rawPath": "/webhooks/stripe"},
        {"httpMethod": "POST", "path": None},
        {"httpMethod": "POST", "path": "/webhooks/stripe", "headers": {"stripe-signature": 7}},
        {"httpMethod": "POST", "path": "/webhooks/stripe", "multiValueHeaders": {"stripe-signature": "text"}},
    ],
)
def test_unknown_event(setting: Setting, event: Any) -> None:
    """An event of another shape is 400, and no traceback."""
    assert 400 == setting.handle(event)["statusCode"]


@shapes
@pytest.mark.parametrize("kind", ["stripe", "slack", "standard"])
@pytest.mark.parametrize(("off_seconds", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401)])
def test_time(setting: Setting, shape: Any, kind: str, off_seconds: int, status: int) -> None:
    """What was signed more than five minutes ago, or ahead, is 401 and costs no read."""
    request = sent(kind, at=int(setting.clock()) + off_seconds)
    response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body))
    assert (status, 0) == (response["statusCode"], setting.secrets[kind].rejections)


@shapes
@kinds
def test_forged(setting: Setting, shape: Any, kind: str) -> None:
    """A signature that fits no secret is 401, after one look for a newer secret; a retry is not discouraged."""
    request = sent(kind, secret="whsec_Zm9yZ2Vk")
    response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body))
    assert (401, "refused", 1) == (response["statusCode"], response["body"], setting.secrets[kind].rejections)
    assert "X-Slack-No-Retry" not in headers_of(response)
    assert [] == setting.delivered


@shapes
def test_too_large(setting: Setting, shape: Any) -> None:
    """What the queue can't take because of its size is 413, and Slack is asked not to send it again."""
    setting.error = WebhookTooLarge("too large")
    for kind, says in (("stripe", None), ("slack", "1")):
        request = sent(kind)
        response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body))
        assert (413, "refused", says) == (
            response["statusCode"],
            response["body"],
            headers_of(response).get("X-Slack-No-Retry"),
        )


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
    """Whatever that function raises, a verified delivery is a 500, which the sender repeats, and not its own fault."""
    setting.error = error
    request = sent("slack", b"command=%2Fdeploy&trigger_id=1.2")
    response = setting.handle(http_v2("POST", "/webhooks/slack", request.headers, request.body))
    assert (500, None) == (response["statusCode"], response["headers"].get("X-Slack-No-Retry"))
    assert f"defect: InternalError: deliver_to failed: {type(error).__name__}" in caplog.text
    assert "canary" not in caplog.text


def test_asynchronous_function_that_takes_deliveries(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    """What an asynchronous function returns is run by nobody, and takes nothing: 500, and an error that says so."""

    class Later:
        __await__ = None  # as a coroutine has it

    receiver = Receiver({"/webhooks/slack": setting.verifiers["slack"]}, deliver_to=lambda *_: Later())  # type: ignore[arg-type] # as people do
    request = sent("slack")
    assert 500 == receiver.handle(http_v2("POST", "/webhooks/slack", request.headers, request.body))["statusCode"]
    assert "deliver_to failed: ConfigurationError: it is asynchronous" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_end_of_the_process_is_not_delayed(setting: Setting, error: type[BaseException]) -> None:
    """What ends the process passes through."""
    setting.error = error()
    request = sent("slack")
    with pytest.raises(error):
        setting.handle(http_v2("POST", "/webhooks/slack", request.headers, request.body))


@kinds
def test_secret_of_the_wrong_form(setting: Setting, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stored secret that can't be one is 503, and the log says what is wrong and which command stores another."""
    setting.secrets[kind].cached = setting.secrets[kind].versions(" canary\n")
    setting.secrets[kind].stored = setting.secrets[kind].cached
    request = sent(kind)
    assert 503 == setting.handle(http_v2("POST", f"/webhooks/{kind}", request.headers, request.body))["statusCode"]
    assert "begins or ends with white space" in caplog.text
    assert "aws secretsmanager put-secret-value --secret-id signing-secret" in caplog.text
    assert "canary" not in caplog.text


def test_path_that_begins_like_the_stage(setting: Setting) -> None:
    """Of a REST API or a load balancer, whose paths have no stage in them, the path is kept as it is."""
    for name in ("REST API", "load balancer"):
        event = SHAPES[name]("POST", "/prod/webhooks/stripe", {}, b"")
        assert 404 == setting.handle(event)["statusCode"]
    event = SHAPES["HTTP API v1"]("POST", "/webhooks/stripe", {}, b"")
    assert (400, 400) == tuple(setting.handle(event | {"path": path})["statusCode"] for path in PATHS_OF_ONE_ROUTE)


def test_load_balancer_forms(setting: Setting) -> None:
    """A load balancer that sends lists gets lists; every response has the status line that it wants."""
    response = setting.handle(SHAPES["load balancer, multi-value headers"]("GET", "/", {}, b""))
    assert "headers" not in response
    assert ["no-store"] == response["multiValueHeaders"]["Cache-Control"]
    assert "404 Not Found" == response["statusDescription"]
    assert "multiValueHeaders" not in setting.handle(SHAPES["REST API"]("GET", "/", {}, b""))


@kinds
def test_log_line(setting: Setting, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """One line has all that is known about a delivery, and no header and no body."""
    request = sent(kind)
    with caplog.at_level(logging.INFO, logger="token_refresh.webhooks"):
        setting.handle(http_v2("POST", f"/webhooks/{kind}", request.headers, request.body))
    (record,) = caplog.records
    said = vars(record)
    expected = {
        "event": "webhook",
        "route": f"/webhooks/{kind}",
        "source": kind,
        "outcome": "delivered",
        "status": 200,
        "body_bytes": len(request.body),
        "secret_stage": "current",
        "secret_age_seconds": NOW,
        "secret_version": setting.secrets[kind].cached[0].version_id,
    }
    assert expected == {name: said.get(name) for name in expected}
    assert said["duration_ms"] >= 0
    ((_, delivery),) = setting.delivered
    assert (delivery.id, delivery.type) == (said["delivery_id"], said["event_type"])
    assert None not in (delivery.id, delivery.type)
    assert "canary" not in f"{said}{caplog.text}"
    assert f"webhook /webhooks/{kind} 200 delivered" == record.getMessage()
