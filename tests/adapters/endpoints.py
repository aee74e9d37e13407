"""What the tests of the HTTP adapter share: a server that records, and a request to a server that misbehaves."""

import threading
from typing import Any

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.formats import AuthMethod, RequestFormat
from token_refresh_worker.oauth.request import refresh_request
from token_refresh_worker.oauth.response import EndpointResponse, TokenResponse
from token_refresh_worker.stored.credentials import ClientCredentials


def send(
    endpoint: TokenEndpoint,
    *scripts: Script,
    timeout_seconds: float = 60.0,
    method: AuthMethod = AuthMethod.POST,
    url: str | None = None,
) -> EndpointResponse:
    endpoint.play(*scripts)
    first: Any = endpoint.grant.authorize()
    client = ClientCredentials(client_id=endpoint.client_id, client_secret=SecretValue(endpoint.client_secret))
    request = refresh_request(SecretValue(first["refresh_token"]), client, RequestFormat(auth_method=method))
    return HttpTokenEndpoint(url or endpoint.url).send(request, timeout_seconds=timeout_seconds)


BODY = b'{"access_token": "a"}'


def requests_under_way() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "token-request"]


class Recorder(LoopbackServer):
    """Keeps each request as it came, and responds with tokens."""

    def __init__(self) -> None:
        super().__init__(_RecorderHandler)
        self.seen: list[tuple[str, str, dict[str, str], str]] = []
        self.status = 200
        self.coding: str | None = None


class _RecorderHandler(LoopbackHandler):
    server: Recorder

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.server.seen.append((self.command, self.path, dict(self.headers), self.read_body().decode()))
        coding = self.server.coding
        self.respond(self.server.status, BODY, {} if coding is None else {"Content-Encoding": coding})

    do_GET = do_CONNECT = do_POST  # noqa: N815 - named by http.server


CLIENT = ClientCredentials(client_id="id", client_secret=SecretValue("p&w"))


def sent_as(recorder: Recorder, form: RequestFormat) -> tuple[str, str, dict[str, str], str]:
    request = refresh_request(SecretValue("r"), CLIENT, form)
    found = HttpTokenEndpoint(f"http://{recorder.address}/token").send(request, timeout_seconds=60.0)
    assert isinstance(found, TokenResponse)
    (seen,) = recorder.seen
    return seen
