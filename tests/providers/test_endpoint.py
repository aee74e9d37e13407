"""Which URLs may receive a token; the refusals are in tests/worker/test_config.py."""

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.endpoint import host_of, is_loopback, read_endpoint


def test_a_host_is_compared_in_lower_case() -> None:
    """Host names don't depend on case, and a port does not belong to them."""
    assert "api.example.com" == host_of("https://API.Example.com:8443/t")


@pytest.mark.parametrize(
    ("host", "ours"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("localhost.example.com", False)],
)
def test_loopback_is_this_machine(host: str, *, ours: bool) -> None:
    """Only loopback addresses and `localhost` count as this machine."""
    assert ours is is_loopback(host)


def test_spaces_around_a_url_are_dropped() -> None:
    """A URL that was pasted with a line end is accepted as it was meant."""
    assert "https://example.com/t" == read_endpoint("X", " https://example.com/t\n")
    with pytest.raises(ConfigurationError, match="X must be an https URL with a host"):
        read_endpoint("X", " ")


@pytest.mark.parametrize("url", ["https://exämple.com/t", "https://example.com/a b", "https://example.com/\x7f"])
def test_a_url_is_printable_ascii(url: str) -> None:
    """A host name in another script could look like the provider's, so it must be written as xn--."""
    with pytest.raises(ConfigurationError, match="X must be ASCII without spaces"):
        read_endpoint("X", url)
