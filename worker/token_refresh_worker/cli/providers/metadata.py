"""Read the metadata of an issuer and of a protected resource, which anybody may have written. Nothing here sends.

What is not valid, is another one's or can't be used is a `DocumentRefused`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from token_refresh.errors import ConfigurationError
from token_refresh_worker.adapters.json_document import DocumentRefused
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.providers.endpoint import read_endpoint

_RESOURCE: Final = "oauth-protected-resource"  # RFC 9728 section 3
_OAUTH: Final = "oauth-authorization-server"  # RFC 8414 section 3
_OPENID: Final = "openid-configuration"

# RFC 6749 section 3.3, and as many as a consent page can show.
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST_ENTRIES: Final = 100
_OFFLINE: Final = "offline_access"
# A client that can keep a secret first; a signing key takes the most work to set up.
_METHODS: Final = (AuthMethod.BASIC, AuthMethod.POST, AuthMethod.NONE, AuthMethod.PRIVATE_KEY_JWT)


class AnotherResource(DocumentRefused):
    """A document about another resource than the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What an API, such as an MCP server, says of itself (RFC 9728)."""

    resource: str
    """Its identifier, which a client sends as `resource` (RFC 8707)."""
    issuer: str | None
    """The first of its authorization servers; None where it names none."""
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What an authorization server says of itself (RFC 8414, OpenID Connect Discovery)."""

    issuer: str
    endpoints: Mapping[str, str]
    """What tokens, codes and people are sent to, by the key of the document."""
    methods: tuple[AuthMethod, ...]
    """How a client may authenticate, the best first."""
    pkce: bool | None
    """Whether it takes PKCE challenges; None where it does not say."""
    sends_issuer: bool
    """Whether each redirect carries `iss` (RFC 9207)."""
    scopes: tuple[str, ...]
    """Those that a refresh token needs."""


def resource_places(url: str) -> list[str]:
    """Return where the metadata of the resource `url` may be, the most specific first."""
    places = [_inserted(url, _RESOURCE), _inserted(origin_of(url), _RESOURCE)]  # MCP looks at the root, too
    return list(dict.fromkeys(places))


def issuer_places(url: str) -> list[str]:
    """Return where the metadata of the issuer `url` may be, in MCP's order (RFC 8414 section 5)."""
    places = [_inserted(url, _OAUTH), _inserted(url, _OPENID), f"{url.rstrip('/')}/.well-known/{_OPENID}"]
    return list(dict.fromkeys(places))


def origin_of(url: str) -> str:
    """Return scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _inserted(url: str, kind: str) -> str:
    return f"{origin_of(url)}/.well-known/{kind}{urlsplit(url).path.rstrip('/')}"


def read_resource(document: Mapping[str, object], url: str, place: str) -> Resource:
    """Read the metadata of the resource `url`, found at `place`.

    Raises:
        AnotherResource: It is another resource's.
    """
    resource = checked_url(document, "resource")
    # At the root a document may speak for the whole host.
    known = (url, origin_of(url)) if place == _inserted(origin_of(url), _RESOURCE) else (url,)
    if all(not _same(resource, one) for one in known):
        raise AnotherResource(f"resource is not {url}: the document is another API's (RFC 9728 section 3.3)")
    servers = _texts(document, "authorization_servers")
    issuer = checked_url({"authorization_servers": servers[0]}, "authorization_servers") if servers else None
    return Resource(resource=resource, issuer=issuer, scopes=_scopes(document))


def read_issuer(document: Mapping[str, object], url: str) -> Issuer:
    """Read the metadata of the issuer `url`."""
    issuer = checked_url(document, "issuer")
    if not _same(issuer, url):
        raise DocumentRefused(f"issuer is not {url}: the document is another issuer's (RFC 8414 section 3.3)")
    offered = _texts(document, "token_endpoint_auth_methods_supported")
    offered = (AuthMethod.BASIC,) if offered is None else offered  # RFC 8414 section 2
    methods = tuple(method for method in _METHODS if method in offered)
    if not methods:
        raise DocumentRefused(f"token_endpoint_auth_methods_supported has none of {', '.join(_METHODS)}")
    endpoints = ["authorization_endpoint", "token_endpoint"]
    endpoints += ["revocation_endpoint"] if "revocation_endpoint" in document else []
    challenges = _texts(document, "code_challenge_methods_supported")
    return Issuer(
        issuer=issuer,
        endpoints={key: checked_url(document, key) for key in endpoints},
        methods=methods,
        pkce=None if challenges is None else "S256" in challenges,
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        scopes=tuple(scope for scope in _scopes(document) if scope == _OFFLINE),
    )


def _same(one: str, other: str) -> bool:
    """Compare identifiers; a slash at the end changes nothing about where their metadata is (RFC 8414 section 3.1)."""
    return one.removesuffix("/") == other.removesuffix("/")


def checked_url(document: Mapping[str, object], key: str) -> str:
    """Read a URL that anybody may have written."""
    value = document.get(key)
    if value is None:
        raise DocumentRefused(f"{key} is missing")
    if not isinstance(value, str) or not value.isprintable() or len(value) > 2048:  # noqa: PLR2004 - more than browsers take
        raise DocumentRefused(f"{key} is not a URL in one line")
    try:
        url = read_endpoint(key, value)
    except ConfigurationError as error:
        raise DocumentRefused(str(error)) from None
    if re.search(r"[{}\"\\]", url):  # In a profile a brace begins a variable.
        raise DocumentRefused(f"{key} has a brace, a quote or a backslash in it")
    return url


def _scopes(document: Mapping[str, object]) -> tuple[str, ...]:
    scopes = _texts(document, "scopes_supported") or ()
    if not all(map(_SCOPE.fullmatch, scopes)):
        raise DocumentRefused("scopes_supported has a text that is no scope (RFC 6749 section 3.3)")
    return scopes


def _texts(document: Mapping[str, object], key: str) -> tuple[str, ...] | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value) or len(value) > _MOST_ENTRIES:
        raise DocumentRefused(f"{key} is not a list of up to {_MOST_ENTRIES} strings")
    return tuple(value)
