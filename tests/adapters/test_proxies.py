"""Which token requests go through the proxy of the environment."""

import base64
import socket
from typing import Any

import pytest

from adapters.endpoints import CLIENT, Proxy, send
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.request import refresh_request
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse


def test_a_loopback_request_goes_through_no_proxy(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy from the environment would see the token in plain text."""
    with Proxy() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.address}")

        assert isinstance(send(endpoint), TokenResponse)

        assert [] == proxy.seen


def test_a_request_to_another_machine_may_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function in a VPC may reach the provider through a proxy only. TLS keeps the token from it."""
    with Proxy() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://user:pass%21word@{proxy.address}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        request = refresh_request(SecretValue("canary"), CLIENT)

        found = HttpTokenEndpoint("https://provider.invalid/token").send(request, timeout_seconds=60.0)

        assert FailedRequest(kind=FailureKind.NOT_SENT, seen="ProxyError") == found
        assert "canary" not in str(proxy.seen)
        assert [("CONNECT", "provider.invalid:443")] == [(method, path) for method, path, _ in proxy.seen]
        assert f"Basic {base64.b64encode(b'user:pass!word').decode()}" == proxy.seen[0][2]["Proxy-Authorization"]


def test_without_a_proxy_the_provider_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a proxy in the environment, the provider's own host is looked up."""
    asked = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    found = HttpTokenEndpoint("https://provider.invalid/t").send(
        refresh_request(SecretValue("r"), CLIENT), timeout_seconds=60.0
    )

    assert FailedRequest(kind=FailureKind.NOT_SENT, seen="ConnectError") == found
    assert ["provider.invalid"] == asked


def test_a_proxy_without_a_scheme_is_an_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many environments name a proxy as `host:port`, as curl takes it."""
    with Proxy() as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.address)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

        HttpTokenEndpoint("https://provider.invalid/token").send(
            refresh_request(SecretValue("r"), CLIENT), timeout_seconds=60.0
        )

        assert [("CONNECT", "provider.invalid:443")] == [(method, path) for method, path, _ in proxy.seen]


@pytest.mark.parametrize("proxy", ["socks5://user:canary@proxy.internal:1080", "http://", "ftp://proxy.internal"])
def test_a_proxy_that_can_not_be_used_is_an_error_before_the_claim(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint refuses it when it is made; the message names the variables and not their values."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as refused:
        HttpTokenEndpoint("https://provider.invalid/token")
    assert "canary" not in str(refused.value)
