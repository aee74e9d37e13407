"""Read a JSON document that anybody may have written, such as an issuer's metadata, and follow it nowhere."""

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeVar

import httpx

from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.adapters.time_limit import LimitedNetwork, LimitedTransport, TimeLimit
from token_refresh_worker.adapters.time_limit import addresses_of as addresses_of  # noqa: PLC0414 - a part of this module, too
from token_refresh_worker.adapters.token_endpoint import HEADERS, HTTP_ERRORS, NOT_SENT, read_body
from token_refresh_worker.oauth.body import read_fields
from token_refresh_worker.oauth.formats import Encoding

_T = TypeVar("_T")
_METADATA: Final = re.compile(r'\bresource_metadata="([^"]*)"')

_OF_MACHINES: Final = IPv6Network("fd00:ec2::/32")
"""Where an EC2 instance finds its credentials, beside the link-local address."""
_OF_IPV4: Final = (IPv6Network("::/96"), IPv6Network("64:ff9b::/96"))
"""Addresses that end in one of IPv4 (RFC 4291 section 2.5.5.1, RFC 6052 section 2.1)."""

TIMEOUT_SECONDS: Final = 10.0
"""For all of it, once the host's name is looked up."""


class DocumentRefused(Exception):  # noqa: N818 - it never leaves the command
    """A document, or the host that has it, is not what it must be; the text says why."""


def fetch(url: str, read: Callable[[httpx.Response], _T], *, named: bool) -> _T:
    """Ask for a checked URL without a token, and read the response; a host that a person `named` may be private.

    Raises:
        DocumentRefused: It can't be read, or is not what it must be.
    """
    limit = TimeLimit(TIMEOUT_SECONDS)
    try:
        request = httpx.Request("GET", url, headers=HEADERS)
        check_host(request.url.host, named=named, addresses=())
        # A proxy looks names up itself.
        network = LimitedNetwork(limit) if find_proxy(url) else _CheckedNetwork(limit, named=named)
        with LimitedTransport(limit, network) as transport:
            return read(transport.handle_request(request))
    except (*NOT_SENT, *HTTP_ERRORS) as error:
        raise DocumentRefused(f"{url} can't be read ({type(error).__name__})") from None


def read_challenge(response: httpx.Response) -> str | None:
    """Return where a 401 says that its metadata is (RFC 9728 section 5.1)."""
    if response.status_code != httpx.codes.UNAUTHORIZED:
        return None
    found = _METADATA.search(response.headers.get("WWW-Authenticate", ""))
    return found[1] if found else None


def read_json(response: httpx.Response) -> dict[str, object] | str:
    """Read a JSON object of at most `BODY_LIMIT_BYTES`; else say why none is here: other places may have it."""
    if response.is_redirect:
        return "redirects to another place, and no redirect is followed"
    if response.is_client_error:
        return f"HTTP {response.status_code}"
    if response.status_code != httpx.codes.OK:
        raise DocumentRefused(f"the document's server said HTTP {response.status_code}; try again later")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # RFC 8414 section 3.2, RFC 9728 section 3.2
        return "has another content type than application/json"
    body = read_body(response)
    if body is None:
        raise DocumentRefused("the document is compressed, or has more than 256 KiB")
    found = read_fields(body, Encoding.JSON)
    if found is None:
        raise DocumentRefused("the document is not a JSON object, or is nested too deeply")
    return found


def check_host(host: str, *, named: bool, addresses: Iterable[str]) -> None:
    """Refuse a host that is, or whose name leads to, an address that no stranger may choose.

    Raises:
        DocumentRefused: One of the addresses is link-local, or private and nobody named the host.
    """
    for address in (host.strip("[]"), *addresses):
        try:
            read = ip_address(address.partition("%")[0])
        except ValueError:
            continue  # A name.
        if kind := _kind(read, named=named):
            raise DocumentRefused(f"the host {host} has {kind}")


def _kind(address: IPv4Address | IPv6Address, *, named: bool) -> str | None:
    address = _unpacked(address)
    # Behind link-local addresses clouds have the credentials of a machine.
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in _OF_MACHINES:
        return "an address that no provider has, such as a link-local one"
    if named or address.is_global:
        return None
    return "a private address, which must not be chosen by a document"


def _unpacked(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the address of IPv4 that one of IPv6 leads to, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _OF_IPV4) and int(address) > 1:  # `::` and `::1` lead to none
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


class _CheckedNetwork(LimitedNetwork):
    """Connects to the addresses that were checked: a second look-up could give others."""

    def __init__(self, limit: TimeLimit, *, named: bool) -> None:
        super().__init__(limit)
        self._named = named

    def addresses(self, host: str) -> Sequence[str]:
        addresses = addresses_of(host)
        check_host(host, named=self._named, addresses=addresses)
        return addresses
