"""Metadata that somebody wrote to hurt: each document is refused with the reason, and nothing is written."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from adapters.stopwatch import count_from_sending
from cli.scene import Cli, Ended
from token_refresh_worker.adapters import json_document
from token_refresh_worker.adapters.json_document import DocumentRefused, check_host
from token_refresh_worker.providers.loader import read_profile

OAUTH, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
RESOURCE = "/.well-known/oauth-protected-resource"

LOOK_UP = json_document.addresses_of


class Documents:
    """Serves what a test puts at a path; everything else is not there, and no other host may be asked."""

    url = "http://127.0.0.1"

    def __init__(self) -> None:
        self.at: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[str] = []

    def put(self, path: str, body: object, *, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.at[path] = status, content, {"Content-Type": "application/json", **named}

    def issuer(self, **changes: object) -> dict[str, object]:
        """Give good metadata with changes; None removes a key."""
        good = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "code_challenge_methods_supported": ["S256"],
        }
        return {key: value for key, value in {**good, **changes}.items() if value is not None}

    def respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        self.asked.append(path)
        status, content, headers = self.at.get(path, (404, b"{}", {}))
        return httpx.Response(status, content=content, headers=headers)


@pytest.fixture(autouse=True)
def _no_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names lead nowhere, and nobody is asked about them."""
    monkeypatch.setattr(json_document, "addresses_of", lambda host: [host] if host == "127.0.0.1" else [])


@pytest.fixture
def site() -> Iterator[Documents]:
    documents = Documents()
    with respx.mock(using="httpcore", assert_all_called=False) as router:
        router.get(host="127.0.0.1").mock(side_effect=documents.respond)
        yield documents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "profiles"
    own.mkdir()
    return own


def ask(cli: Cli, folder: Path, url: str, *options: str) -> Ended:
    return cli("providers", "it", "--from-issuer", url, "--profiles", str(folder), *options)


def refusal(cli: Cli, folder: Path, url: str, *options: str) -> str:
    """Give what is said about a URL that gives no profile."""
    ended = ask(cli, folder, url, *options)
    assert 2 == ended.code, ended.screen
    assert "nothing was written" in ended.screen
    assert [] == list(folder.iterdir())
    return ended.screen


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "https://other.example"}, "issuer is not http://127.0.0.1"),
        ({"issuer": None}, "issuer is missing"),
        ({"token_endpoint": None}, "token_endpoint is missing"),
        ({"token_endpoint": 7}, "token_endpoint is not a URL in one line"),
        ({"token_endpoint": ["https://a.example"]}, "token_endpoint is not a URL in one line"),
        ({"token_endpoint": f"https://a.example/{'a' * 2048}"}, "token_endpoint is not a URL in one line"),
        ({"token_endpoint": "https://a.example/\u001b[2J"}, "token_endpoint is not a URL in one line"),
        ({"token_endpoint": "https://a.example/\u202e"}, "token_endpoint is not a URL in one line"),
        ({"token_endpoint": 'https://a.example/"\ngrant = "static'}, "token_endpoint is not a URL in one line"),
        ({"token_endpoint": 'https://a.example/"x'}, "token_endpoint has a brace, a quote or a backslash"),
        ({"token_endpoint": "https://{shop}.example/"}, "token_endpoint has a brace, a quote or a backslash"),
        ({"token_endpoint": "https://a.example\\@b.example/"}, "token_endpoint must have neither credentials"),
        ({"token_endpoint": "http://a.example/token"}, "token_endpoint must be https"),
        ({"token_endpoint": "ftp://a.example/token"}, "token_endpoint must be an https URL"),
        ({"token_endpoint": "https://user:pass@a.example/"}, "token_endpoint must have neither credentials"),
        ({"token_endpoint": "https://[::1"}, "token_endpoint is not a URL"),
        ({"token_endpoint": "https://10.1.2.3/token"}, "the host 10.1.2.3 has a private address"),
        ({"token_endpoint": "https://[::ffff:10.1.2.3]/token"}, "has a private address"),
        ({"token_endpoint": "https://169.254.169.254/"}, "an address that no provider has"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint must be an https URL"),
        ({"revocation_endpoint": None, "authorization_endpoint": None}, "authorization_endpoint is missing"),
        ({"revocation_endpoint": "http://a.example/"}, "revocation_endpoint must be https"),
        ({"revocation_endpoint": {}}, "revocation_endpoint is not a URL in one line"),
        ({"scopes_supported": "read"}, "scopes_supported is not a list"),
        ({"scopes_supported": ["a"] * 101}, "scopes_supported is not a list of up to 100"),
        ({"scopes_supported": ['read"]']}, "scopes_supported has a text that is no scope"),
        ({"scopes_supported": ["read\nwrite"]}, "scopes_supported has a text that is no scope"),
        ({"token_endpoint_auth_methods_supported": ["tls_client_auth"]}, "supported has none of client_secret_basic"),
        ({"token_endpoint_auth_methods_supported": [{}]}, "token_endpoint_auth_methods_supported is not a list"),
    ],
)
def test_a_value_that_does_harm(
    cli: Cli, site: Documents, folder: Path, changes: Mapping[str, object], said: str
) -> None:
    """A value that is not what its key promises is refused by the name of the key."""
    site.put(OAUTH, site.issuer(**changes))

    assert said in refusal(cli, folder, site.url)


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ({"body": b"{}", "status": 302, "Location": "https://a.example"}, "no redirect is followed"),
        ({"body": b"{}", "status": 401}, "HTTP 401"),
        ({"body": b"{}", "status": 503}, "HTTP 503; try again later"),
        ({"body": b"{}", "Content_Type": "text/html"}, "another content type than application/json"),
        ({"body": b"[]"}, "is not a JSON object"),
        ({"body": b'{"a":' * 60_000}, "more than 256 KiB"),
        ({"body": b'{"a":' * 10_000}, "is not a JSON object, or is nested too deeply"),
        ({"body": b"{}", "Content_Encoding": "br"}, "is compressed"),
    ],
)
def test_a_document_that_is_none(cli: Cli, site: Documents, folder: Path, served: dict[str, Any], said: str) -> None:
    """A redirect, an error, another type, and a document that is huge or deep are refused."""
    site.put(OAUTH, **served)

    assert said in refusal(cli, folder, site.url)
    assert ["/"] == [path for path in site.asked if "well-known" not in path]


def test_a_server_that_never_ends(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is silent costs the time limit, and no more."""
    monkeypatch.setattr(json_document, "TIMEOUT_SECONDS", 0.5)
    count_from_sending(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = refusal(cli, folder, f"http://127.0.0.1:{silent.getsockname()[1]}")

    assert re.search(r"can't be read \((Read|Write)Timeout\)", said)  # On a busy machine the limit ends earlier.


def test_a_host_that_nobody_knows(cli: Cli, folder: Path) -> None:
    """A host without an address, or without a server, can't be read."""
    assert "can't be read (ConnectError)" in refusal(cli, folder, "http://127.0.0.1:1")
    assert "can't be read (ConnectError)" in refusal(cli, folder, "https://nobody.invalid")


@pytest.mark.parametrize("host", ["1.2.3.256", "xn--a", "a..example"])
def test_a_host_that_can_be_none(cli: Cli, folder: Path, host: str) -> None:
    """A URL whose host can't be one is a named error."""
    assert f"https://{host}{RESOURCE} can't be read" in refusal(cli, folder, f"https://{host}/")


def test_a_proxy_looks_names_up(cli: Cli, folder: Path) -> None:
    """Where the environment names a proxy, the document is asked for through it."""
    ended = cli(
        *("providers", "--from-issuer", "https://nobody.invalid", "--profiles", str(folder)),
        HTTPS_PROXY="http://127.0.0.1:1",
        https_proxy="http://127.0.0.1:1",
    )

    assert "can't be read (ConnectError)" in ended.screen


def test_the_addresses_of_a_host() -> None:
    """A name has the addresses that this machine knows; one that can't be a name has none."""
    assert "127.0.0.1" in LOOK_UP("localhost")
    assert [] == LOOK_UP("a" * 300)


def test_a_url_without_any_metadata(cli: Cli, site: Documents, folder: Path) -> None:
    """All places where metadata may be are asked once, and each is named with what it said."""
    said = refusal(cli, folder, f"{site.url}/mcp")

    places = [f"{RESOURCE}/mcp", RESOURCE, "/mcp", f"{OAUTH}/mcp", f"{OPENID}/mcp", f"/mcp{OPENID}"]
    assert places == site.asked
    assert f"{site.url}{OPENID}/mcp: HTTP 404" in said


def test_another_host_has_to_be_named(cli: Cli, site: Documents, folder: Path) -> None:
    """An endpoint on a host that nobody named is shown with the command that trusts it, which then works."""
    others = {"token_endpoint": "https://oauth2.example/token", "revocation_endpoint": "https://oauth2.example/revoke"}
    site.put(OAUTH, site.issuer(**others))

    said = refusal(cli, folder, site.url)

    assert "names other hosts than 127.0.0.1: oauth2.example (token_endpoint)" in said
    assert f"providers it --from-issuer {site.url} --profiles {folder} --trust oauth2.example" in said
    assert 0 == ask(cli, folder, site.url, "--trust", "OAuth2.example").code
    assert "https://oauth2.example/token" == read_profile(folder / "it.toml").token_endpoint


def test_another_issuer_has_to_be_named_before_it_is_asked(cli: Cli, site: Documents, folder: Path) -> None:
    """An API can send nobody to an issuer on a host of its choice."""
    site.put(f"{RESOURCE}/mcp", {"resource": f"{site.url}/mcp", "authorization_servers": ["https://issuer.example"]})

    said = refusal(cli, folder, f"{site.url}/mcp")

    assert "issuer.example (authorization server)" in said


@pytest.mark.parametrize(
    ("path", "document", "said"),
    [
        (f"{RESOURCE}/mcp", {"resource": "https://victim.example"}, "the document is another API's"),
        (f"{RESOURCE}/mcp", {"resource": "{url}"}, "the document is another API's"),
        (RESOURCE, {"resource": "{url}/other"}, "the document is another API's"),
        (RESOURCE, {"resource": 7}, "resource is not a URL in one line"),
        (RESOURCE, {"resource": "{url}", "authorization_servers": ["http://a.example"]}, "servers must be https"),
        (RESOURCE, {"resource": "{url}", "authorization_servers": "https://a.example"}, "servers is not a list"),
        (RESOURCE, {"resource": "{url}", "scopes_supported": ['"']}, "scopes_supported has a text that is no scope"),
    ],
)
def test_an_api_that_lies(  # noqa: PLR0917 - fixtures
    cli: Cli, site: Documents, folder: Path, path: str, document: dict[str, Any], said: str
) -> None:
    """An API's document must be about that API, and name its issuer by an https URL (RFC 9728 section 3.3)."""
    site.put(path, json.loads(json.dumps(document).replace("{url}", site.url)))
    site.put(OAUTH, site.issuer())

    assert said in refusal(cli, folder, f"{site.url}/mcp")


def challenge(site: Documents, metadata: str) -> str:
    """Let the API say in a 401 where its metadata is; give its URL."""
    site.put("/api", {}, status=401, WWW_Authenticate=f'Bearer error="invalid_token", resource_metadata="{metadata}"')
    return f"{site.url}/api"


@pytest.mark.parametrize("root", [None, "/other"])
def test_an_api_that_says_where_its_metadata_is(cli: Cli, site: Documents, folder: Path, root: str | None) -> None:
    """Where no well-known place has this API's metadata, the header of a 401 leads to it (RFC 9728 section 5.1)."""
    url = challenge(site, f"{site.url}/elsewhere.json")
    if root:
        site.put(RESOURCE, {"resource": f"{site.url}{root}"})
    site.put("/elsewhere.json", {"resource": url, "authorization_servers": [site.url], "scopes_supported": ["read"]})
    site.put(OAUTH, site.issuer())

    assert 0 == ask(cli, folder, url).code

    found = read_profile(folder / "it.toml")
    assert {"resource": url} == found.request.params


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("http://a.example/m", "resource_metadata must be https"),
        ("https://a.example/m", "a.example (resource_metadata)"),
        ("https://10.0.0.1/m", "the host 10.0.0.1 has a private address"),
        ("{url}/gone", "/gone: HTTP 404"),
        ("{url}/other", "the document is another API's"),
        ("", "resource_metadata must be an https URL with a host"),
    ],
)
def test_a_challenge_that_leads_astray(cli: Cli, site: Documents, folder: Path, metadata: str, said: str) -> None:
    """What a 401 names is trusted no more than any document."""
    site.put("/other", {"resource": f"{site.url}/victim"})

    assert said in refusal(cli, folder, challenge(site, metadata.replace("{url}", site.url)))


def test_an_issuer_without_pkce(cli: Cli, site: Documents, folder: Path) -> None:
    """For an MCP server the issuer must take PKCE; by itself it need not, and then no challenge is sent."""
    site.put(RESOURCE, {"resource": site.url, "authorization_servers": [site.url]})
    site.put(OAUTH, site.issuer(code_challenge_methods_supported=["plain"]))

    assert "lacks S256" in refusal(cli, folder, site.url)

    site.put(RESOURCE, {"resource": site.url})
    assert "lacks S256" in refusal(cli, folder, site.url)

    del site.at[RESOURCE]
    assert 0 == ask(cli, folder, site.url).code
    page = read_profile(folder / "it.toml").authorization
    assert page is not None
    assert not page.pkce


def test_openid_metadata_and_what_it_leaves_out(cli: Cli, site: Documents, folder: Path) -> None:
    """OpenID's document serves too; RFC 8414's defaults hold, and `offline_access` is asked for where it is offered."""
    url, path = f"{site.url}/tenant", f"/tenant{OPENID}"
    site.put(path, site.issuer(issuer=f"{url}/", scopes_supported=["openid", "offline_access"]))
    site.put(RESOURCE, {"resource": site.url})

    assert 0 == ask(cli, folder, url).code

    profile = read_profile(folder / "it.toml")
    assert profile.authorization is not None
    assert ("client_secret_basic", ("offline_access",), "", "", site.url) == (
        profile.request.auth_method,
        profile.authorization.scopes,
        profile.authorization.issuer,
        profile.revocation_endpoint,
        profile.request.params["resource"],
    )


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "::ffff:192.168.0.1", "fd00::1", "127.0.0.1", "::1", "100.64.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1"],
)
def test_a_private_address(address: str) -> None:
    """A name that leads to a private address is refused unless a person named it."""
    with pytest.raises(DocumentRefused, match="private address"):
        check_host("idp.example", named=False, addresses=[address])
    check_host("idp.example", named=True, addresses=[address])


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1%eth0",
        "::ffff:169.254.1.1",
        "0.0.0.0",  # noqa: S104 - refused
        "224.0.0.1",
        "fd00:ec2::254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
    ],
)
def test_an_address_that_no_provider_has(address: str) -> None:
    """A link-local address, where clouds keep credentials, is refused whoever named it."""
    with pytest.raises(DocumentRefused, match="that no provider has"):
        check_host("idp.example", named=True, addresses=["93.184.215.14", address])
