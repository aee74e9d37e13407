"""Which requests go through the proxy of the environment."""

import base64
import os
import socket
from typing import Any

import pytest

from adapters.endpoints import CLIENT, Proxy, send
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.request import refresh_request
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse

PROVIDER = "https://provider.invalid/token"
MALFORMED = [
    "http://user:canary/ss@proxy.internal:3128",
    "http://user:12/canary@proxy.internal:3128",
    "http://user:12?canary@proxy.internal:3128",
    "http://user:12#canary@proxy.internal:3128",
    "user:12/canary@proxy.internal",
    "http://[canary:3128",
    "http://[canary]:3128",
    "http://proxy.internal:canary",
    "http://proxy.internal:99999",
    "http://proxy.internal:0",
    "http://canary proxy:3128",
    "http://pröxy-canary:3128",
    "http://",
    "http://:3128",
    "socks5://user:canary@proxy.internal:1080",
    "ftp://proxy.internal",
    "://canary",
]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own proxies out."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_loopback_request_goes_through_no_proxy(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A proxy from the environment would see the token in plain text."""
    with Proxy() as proxy:
        monkeypatch.setenv(name, f"http://{proxy.address}")

        assert isinstance(send(endpoint), TokenResponse)

        assert [] == proxy.seen


@pytest.mark.parametrize(
    "url", ["https://localhost/t", "https://127.0.0.1:1/t", "https://[::1]/t", "https://127.8.8.8/"]
)
def test_loopback_over_tls_goes_through_no_proxy_either(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """No proxy leads to this machine."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.internal:3128")

    assert find_proxy(url) is None
    assert find_proxy(PROVIDER) is not None


def test_nothing_goes_to_a_proxy_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without TLS has no proxy, whatever its host is."""
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.internal:3128")

    assert find_proxy("http://provider.invalid/token") is None


@pytest.mark.parametrize(
    ("given", "sent"),
    [("user:pass%21word", "user:pass!word"), ("user:p%C3%A4ss", "user:päss"), ("user:", "user:"), (":pass", ":pass")],
)
def test_a_request_to_another_machine_may_go_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, given: str, sent: str
) -> None:
    """A function in a VPC may reach the provider through a proxy only. TLS keeps the token from it."""
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{given}@{proxy.address}")
        request = refresh_request(SecretValue("canary"), CLIENT)

        found = HttpTokenEndpoint(PROVIDER).send(request, timeout_seconds=60.0)

        assert FailedRequest(kind=FailureKind.NOT_SENT, seen="ProxyError") == found
        assert "canary" not in str(proxy.seen)
        assert [("CONNECT", "provider.invalid:443")] == [(method, path) for method, path, _ in proxy.seen]
        assert f"Basic {base64.b64encode(sent.encode()).decode()}" == proxy.seen[0][2]["Proxy-Authorization"]


def test_without_a_proxy_the_provider_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a proxy in the environment, the provider's own host is looked up."""
    asked = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    found = HttpTokenEndpoint(PROVIDER).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=60.0)

    assert FailedRequest(kind=FailureKind.NOT_SENT, seen="ConnectError") == found
    assert ["provider.invalid"] == asked


@pytest.mark.parametrize("form", ["{}", " http://{}/ \n", "HTTP://{}", "http://{}/a/path"])
def test_forms_of_a_proxy(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Many environments name a proxy as `host:port`, as curl takes it, or with more around it than is needed."""
    with Proxy() as proxy:
        monkeypatch.setenv("all_proxy", form.format(proxy.address))

        HttpTokenEndpoint(PROVIDER).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=60.0)

        assert [("CONNECT", "provider.invalid:443")] == [(method, path) for method, path, _ in proxy.seen]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "Https_Proxy"])
@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_proxy_is_an_error_before_the_claim(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """The endpoint refuses it when it is made; the message names the variable that counts, and not its value."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError) as refused:
        HttpTokenEndpoint(PROVIDER)

    assert variable == refused.value.setting
    assert "canary" not in str(refused.value)
    assert (None, True) == (refused.value.__cause__, refused.value.__context__ is None)


def test_a_malformed_proxy_that_nobody_needs_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where NO_PROXY names the host, or another variable counts, the value is not read."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:abc")
    monkeypatch.setenv("NO_PROXY", ".invalid")
    assert find_proxy(PROVIDER) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("ALL_PROXY", "http://proxy:abc")
    assert find_proxy("https://example.com/") is not None
