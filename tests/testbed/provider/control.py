"""The scriptable token endpoint as a process of its own, steered over a second port.

`python -m testbed.provider.token_endpoint --reuse grace` prints `{"url": ..., "control": ...}` and lives until its
input ends. At `control`, in JSON both ways:

    GET  /client      client_id and client_secret
    GET  /state       requests, connections, most_in_flight, redemptions, alive
    GET  /held        answers once a request has come to the point where its script holds it
    POST /play        a list of scripts: the fields of `testbed.provider.script.Script`, `answer` in base64
    POST /authorize   begin the grant anew; answers the first token response
    POST /release, /revoke, /end_grace
"""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.process import announce
from testbed.provider.grant import Reuse
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable


class _Control(LoopbackServer):
    def __init__(self, endpoint: TokenEndpoint) -> None:
        super().__init__(_Handler)
        self.endpoint = endpoint


class _Handler(LoopbackHandler):
    server: _Control

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        endpoint = self.server.endpoint
        self._answer_by(
            {
                "/client": lambda: {"client_id": endpoint.client_id, "client_secret": endpoint.client_secret},
                "/state": lambda: _state(endpoint),
                "/held": endpoint.wait_until_held,
            }
        )

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        endpoint = self.server.endpoint
        body = json.loads(self.read_body() or b"null")
        self._answer_by(
            {
                "/play": lambda: endpoint.play(*map(_script, body)),
                "/authorize": endpoint.grant.authorize,
                "/release": endpoint.release,
                "/revoke": endpoint.grant.revoke,
                "/end_grace": endpoint.grant.end_grace,
            }
        )

    def _answer_by(self, actions: dict[str, Callable[[], Any]]) -> None:
        if (action := actions.get(self.path)) is None:
            self.answer(404)
        else:
            self.answer(200, json.dumps(action()).encode())


def _state(endpoint: TokenEndpoint) -> dict[str, Any]:
    return {
        "requests": [asdict(request) for request in endpoint.requests],
        "connections": endpoint.connections,
        "most_in_flight": endpoint.most_in_flight,
        "redemptions": endpoint.grant.redemptions,
        "alive": endpoint.grant.alive,
    }


def _script(fields: dict[str, Any]) -> Script:
    answer = fields.get("answer")
    return Script(**fields | {"answer": None if answer is None else base64.b64decode(answer)})


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="python -m testbed.provider.token_endpoint", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--reuse", choices=get_args(Reuse), default="revokes")
    parser.add_argument("--public-client", action="store_true")
    options = parser.parse_args()
    with (
        TokenEndpoint(reuse=options.reuse, public_client=options.public_client) as endpoint,
        _Control(endpoint) as control,
    ):
        announce(url=endpoint.url, control=f"http://{control.address}")
