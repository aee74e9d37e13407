"""A provider's interface, played by respx."""

import json
from typing import Self

import httpx
import respx

URL = "http://127.0.0.1/me"
"""The tokens of the tests are of this host."""


class Api:
    """A provider's interface: it takes one access token, or any while none is set."""

    def __init__(self) -> None:
        self.url = URL
        self.token = ""
        self.response: tuple[int, bytes] = (200, b'{"data": {"user": {}}}')
        self.headers: dict[str, str] = {}
        self._router = respx.MockRouter(using="httpcore", assert_all_called=False)
        self._router.route(url=URL).mock(side_effect=self._respond)
        self._router.route(host="127.0.0.1").pass_through()  # the token endpoint, which listens at a port

    def __enter__(self) -> Self:
        self._router.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._router.stop(clear=False)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert "user" in json.loads(request.content)["query"]
        if self.token and request.headers["Authorization"] != f"Bearer {self.token}":
            return httpx.Response(401)
        status, body = self.response
        return httpx.Response(status, content=body, headers=self.headers)
