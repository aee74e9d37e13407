"""Which requests go through a proxy: one place decides for runs, for each command, and for what reads documents.

Loopback never does, and nothing in plain text: a proxy would see the token. Everything else goes through the proxy of
the environment in a tunnel, encrypted to its end.
"""

import os
import re
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.providers.endpoint import is_loopback

_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")
_ADVICE: Final = (
    "Correct it, or unset it. In a user name or password, write %2F for a slash, %40 for an at sign and %3A for a colon"
)


def find_proxy(url: str) -> SecretValue | None:
    """Return the URL of the proxy for a request to `url`, credentials included; None if it goes there directly.

    Raises:
        ConfigurationError: The variable that names the proxy does not hold the URL of one. The message has the
            variable's name and nothing of its value, in which there may be a password.
    """
    target = urlsplit(url)
    host = target.hostname or ""
    if target.scheme != "https" or is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    scheme = next((scheme for scheme in ("https", "all") if proxies.get(scheme)), None)
    if scheme is None:
        return None
    found = proxies[scheme].strip()
    # curl takes `host:port`, too.
    proxy = SecretValue(found if "://" in found else f"http://{found}")
    if not _is_proxy(proxy):
        wrong = "is not the URL of an HTTP proxy, such as http://proxy.internal:3128"
        raise ConfigurationError.of(_variable(scheme), wrong, why="nothing was sent", fix=_ADVICE)
    return proxy


def _is_proxy(url: SecretValue) -> bool:
    try:
        parts = urlsplit(url.reveal())
        host, port = parts.hostname or "", parts.port  # a port is parsed, and can fail, only when it is read
    except ValueError:
        return False
    # A slash in the password ends the host early: the rest of it would be sent to another machine.
    is_torn = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    return parts.scheme in {"http", "https"} and _HOST.fullmatch(host) is not None and port != 0 and not is_torn


def _variable(scheme: str) -> str:
    """Name the variable that counts, as urllib finds it: in any case, lower case before others."""
    name = f"{scheme}_proxy"
    return name if os.environ.get(name) else next(each for each in os.environ if each.lower() == name)
