"""Lambda's HTTP events as AWS documents them, one builder for each source."""

import base64
from typing import Any, Protocol

import pytest


class Shape(Protocol):
    """Builds an event."""

    def __call__(
        self, method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False
    ) -> dict[str, Any]: ...


def body_fields(body: bytes, *, encoded: bool) -> dict[str, Any]:
    if encoded:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body.decode() or None, "isBase64Encoded": False}


def http_v2(
    method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False, stage: str = "$default"
) -> dict[str, Any]:
    """A function URL, and an HTTP API with payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "stage": stage,
        },
        **body_fields(body, encoded=encoded),
    }


def staged_http_v2(
    method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False
) -> dict[str, Any]:
    """An HTTP API whose stage has a name, which is then part of the path."""
    return http_v2(method, f"/prod{path}", headers, body, encoded=encoded, stage="prod")


def http_v1(method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False) -> dict[str, Any]:
    """An HTTP API with payload format 1.0, on a stage with a name."""
    return rest(method, path, headers, body, encoded=encoded) | {"version": "1.0", "path": f"/prod{path}"}


def rest(method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False) -> dict[str, Any]:
    """A REST API with Lambda proxy integration."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers or None,
        "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
        "queryStringParameters": None,
        "requestContext": {"stage": "prod", "httpMethod": method, "requestId": "r"},
        **body_fields(body, encoded=encoded),
    }


def load_balancer(
    method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False
) -> dict[str, Any]:
    """An Application Load Balancer, which gives an empty body as an empty string."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/t/1"}},
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {},
        "headers": {name.lower(): value for name, value in headers.items()},
        **body_fields(body, encoded=encoded),
        **({} if body else {"body": ""}),
    }


def load_balancer_lists(
    method: str, path: str, headers: dict[str, str], body: bytes, *, encoded: bool = False
) -> dict[str, Any]:
    """The same with multi-value headers switched on: there are no `headers` then."""
    event = load_balancer(method, path, headers, body, encoded=encoded)
    return event | {"multiValueHeaders": {name: [value] for name, value in event.pop("headers").items()}}


SHAPES: dict[str, Shape] = {
    "function URL, HTTP API v2": http_v2,
    "HTTP API v2, named stage": staged_http_v2,
    "HTTP API v1": http_v1,
    "REST API": rest,
    "load balancer": load_balancer,
    "load balancer, multi-value headers": load_balancer_lists,
}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def headers_of(response: dict[str, Any]) -> dict[str, str]:
    lists = response.get("multiValueHeaders")
    return {name: values[0] for name, values in lists.items()} if lists else response["headers"]
