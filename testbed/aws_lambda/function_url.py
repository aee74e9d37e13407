"""A function URL on loopback: HTTP in, Lambda's event (payload format 2.0) to a running `Function`, HTTP out.

with Function(environment, handler="webhook_router.handler") as function, FunctionUrl(function) as url:
    httpx.post(f"{url.endpoint}/webhooks/stripe", ...)
"""

import base64
import threading
from typing import Any

from testbed.aws_lambda.function import Function, Invoked
from testbed.loopback import LoopbackHandler, LoopbackServer

# As Lambda does it: what is text by its type stays text, all else is base64.
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


class FunctionUrl(LoopbackServer):
    """Invoke one function for each request, one at a time."""

    def __init__(self, function: Function) -> None:
        super().__init__(_Handler)
        self._function = function
        self._lock = threading.Lock()
        self.invocations: list[Invoked] = []

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}"

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Run the function; an error of its is Lambda's 502."""
        with self._lock:
            invocation = self._function.invoke(event)
            self.invocations.append(invocation)
        if invocation.error_type is not None:
            return {"statusCode": 502, "body": "Internal Server Error"}
        payload: dict[str, Any] = invocation.payload
        return payload


class _Handler(LoopbackHandler):
    server: FunctionUrl

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        response = self.server.invoke(self._event(self.read_body()))
        body = response.get("body") or ""
        content = base64.b64decode(body) if response.get("isBase64Encoded") else body.encode()
        self.respond(response["statusCode"], content, response.get("headers"))

    do_GET = do_POST  # noqa: N815 - named by http.server

    def _event(self, body: bytes) -> dict[str, Any]:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
        encoded = not headers.get("content-type", "").startswith(_TEXT)
        path, _, query = self.path.partition("?")
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "stage": "$default",
                "http": {"method": self.command, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            },
            "body": base64.b64encode(body).decode() if encoded else body.decode(),
            "isBase64Encoded": encoded,
        }
