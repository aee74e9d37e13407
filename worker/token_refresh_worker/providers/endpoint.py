"""Which URLs may receive a token."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from token_refresh.errors import ConfigurationError


def read_endpoint(name: str, url: str) -> str:
    """Check the URL of an endpoint. Errors name its setting and never show it: people put credentials into URLs."""
    url = url.strip()  # a URL from a console often ends in a line end
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError.of(name, "must be ASCII without spaces; write an international host name as xn--")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port is parsed, and can fail, only when it is read
    except ValueError:
        raise ConfigurationError.of(name, "is not a URL") from None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigurationError.of(name, "must be an https URL with a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        # RFC 6749 sections 2.3.1 and 3.2.
        raise ConfigurationError.of(name, "must have neither credentials nor a fragment in it")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError.of(name, "must be https; http is allowed for loopback hosts only")
    return url


def host_of(url: str) -> str:
    """Return the host of a checked URL, in lower case."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that nobody can listen on the way."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
