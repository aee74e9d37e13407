"""What the tests of the HTTP adapter share: requests that respx plays, a proxy, and a server that misbehaves."""

import threading
from typing import Any

import httpx
import respx

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.formats import AuthMethod, RequestFormat, ResponseFormat
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


URL = "http://127.0.0.1/token"
"""Where a request goes that respx plays: nothing listens there."""
CLIENT = ClientCredentials(client_id="id", client_secret=SecretValue("p&w"))


def ask(form: ResponseFormat | None = None) -> EndpointResponse:
    """Send a request to the provider that respx plays."""
    return HttpTokenEndpoint(URL, form or ResponseFormat()).send(
        refresh_request(SecretValue("r"), CLIENT), timeout_seconds=60.0
    )


class Proxy(LoopbackServer):
    """Keeps method, target and headers of each request as it came, and refuses it."""

    def __init__(self) -> None:
        super().__init__(_ProxyHandler)
        self.seen: list[tuple[str, str, dict[str, str]]] = []


class _ProxyHandler(LoopbackHandler):
    server: Proxy

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.respond(407)

    do_CONNECT = do_POST  # noqa: N815 - named by http.server


def sent_as(form: RequestFormat) -> httpx.Request:
    """Send a request to a provider that respx plays; give what went to the network."""
    with respx.mock(using="httpcore") as router:
        played = router.route(host="127.0.0.1").respond(content=BODY)
        found = HttpTokenEndpoint(URL).send(refresh_request(SecretValue("r"), CLIENT, form), timeout_seconds=60.0)
    assert isinstance(found, TokenResponse)
    request: httpx.Request = played.calls.last.request
    return request
