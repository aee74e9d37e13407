"""The table of responses, in each shape of event."""

import json
import logging
from typing import Any

import pytest

from testbed.webhooks.events import SHAPES, headers_of, http_v2, shapes
from testbed.webhooks.setting import Setting, kinds
from testbed.webhooks.signing import NOW, SIGNATURE_HEADER, sent


@shapes
@kinds
@pytest.mark.parametrize(
    ("body", "encoded"), [(None, False), (None, True), (b"\xff\x00 no text", True)], ids=["text", "base64", "bytes"]
)
def test_verified(setting: Setting, shape: Any, kind: str, body: bytes | None, *, encoded: bool) -> None:
    """A verified delivery is delivered with its very bytes, JSON or not, and the sender gets 200 and nothing else."""
    request = sent(kind, body)
    response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body, encoded=encoded))
    assert (200, "", False) == (response["statusCode"], response["body"], response["isBase64Encoded"])
    ((route, delivery),) = setting.delivered
    assert (f"/webhooks/{kind}", kind, request.body) == (route, delivery.source, delivery.body)


@shapes
def test_probes(setting: Setting, shape: Any) -> None:
    """Slack's challenge, its `ssl_check` and GitHub's ping, signed, get their responses and are not delivered."""
    body = json.dumps({"type": "url_verification", "token": "Jhj5dZrVaK7ZwHHj", "challenge": "3eZbrw1aBm2rZgRN"})
    probe, challenge = sent("slack", b"ssl_check=1&token=t"), sent("slack", body.encode())
    ping = sent("github", b'{"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"type": "Repository"}}')
    for kind, request, more, says in (
        ("slack", probe, {}, ""),
        ("github", ping, {"X-GitHub-Event": "ping"}, ""),
        ("slack", challenge, {}, "3eZbrw1aBm2rZgRN"),
    ):
        response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers | more, request.body))
        assert (200, says) == (response["statusCode"], response["body"])
    assert headers_of(response)["Content-Type"].startswith("text/plain")
    forged = setting.handle(shape("POST", "/webhooks/slack", challenge.headers, challenge.body + b" "))
    assert (401, "refused") == (forged["statusCode"], forged["body"])
    assert "X-Slack-No-Retry" not in headers_of(forged)
    assert [] == setting.delivered


@pytest.mark.parametrize(
    "body", [b'{"action": "opened"}', b'{"zen": "Keep it."}', b'{"zen": 1, "hook_id": 1}', b"[]", b"x=1"]
)
def test_an_event_that_its_header_calls_a_ping(setting: Setting, body: bytes) -> None:
    """What a signed body says counts: a delivery is not dropped because a header, which nobody signs, says `ping`."""
    request = sent("github", body)
    headers = request.headers | {"X-GitHub-Event": "ping"}
    assert 200 == setting.handle(http_v2("POST", "/webhooks/github", headers, request.body))["statusCode"]
    assert [(body, None)] == [(delivery.body, delivery.type) for _, delivery in setting.delivered]


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


def test_forms_of_apis_and_load_balancers(setting: Setting) -> None:
    """A load balancer gets lists for lists and a status line; where paths have no stage they stay as they are."""
    response = setting.handle(SHAPES["load balancer, multi-value headers"]("GET", "/", {}, b""))
    assert "headers" not in response
    assert ["no-store"] == response["multiValueHeaders"]["Cache-Control"]
    assert "404 Not Found" == response["statusDescription"]
    assert "multiValueHeaders" not in setting.handle(SHAPES["REST API"]("GET", "/", {}, b""))
    for name in ("REST API", "load balancer"):
        event = SHAPES[name]("POST", "/prod/webhooks/stripe", {}, b"")
        assert 404 == setting.handle(event)["statusCode"]
    event = SHAPES["HTTP API v1"]("POST", "/webhooks/stripe", {}, b"")
    paths = ("/prod/webhooks/stripe", "/webhooks/stripe")
    assert [400, 400] == [setting.handle(event | {"path": path})["statusCode"] for path in paths]
    event = http_v2("POST", "/webhooks/stripe", {}, b"", stage="web")
    assert 400 == setting.handle(event)["statusCode"], "the path only begins like the stage"


def test_an_id_that_looks_like_a_command(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    """What anybody can write into GitHub's header stands between no backticks in the log, as a command does."""
    request = sent("github")
    headers = {**request.headers, "X-GitHub-Delivery": "`aws-secretsmanager-delete`"}
    with caplog.at_level(logging.INFO, logger="token_refresh.webhooks"):
        setting.handle(http_v2("POST", "/webhooks/github", headers, request.body))

    (record,) = caplog.records
    assert "'aws-secretsmanager-delete'" == vars(record)["delivery_id"]
    ((_, delivery),) = setting.delivered
    assert "`aws-secretsmanager-delete`" == delivery.id, "the delivery itself is as it came"


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
