"""A provider's interface on loopback."""

import json

from testbed.loopback import LoopbackHandler, LoopbackServer


class Api(LoopbackServer):
    """A provider's interface: it takes one access token, or any while none is set."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.token = ""
        self.response: tuple[int, bytes] = (200, b'{"data": {"user": {}}}')
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://{self.address}/me"


class _Handler(LoopbackHandler):
    server: Api

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            return self.respond(401)
        return self.respond(*self.server.response, self.server.headers)

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        assert "user" in json.loads(self.read_body())["query"]
        self.do_GET()
