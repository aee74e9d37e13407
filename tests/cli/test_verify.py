"""`verify`: whether the provider takes the current access token."""

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
import respx

from cli.scene import Cli, Tokens
from testbed.builders import DAY
from testbed.provider.token_endpoint import TokenEndpoint

URL = "http://127.0.0.1/me"
"""The tokens of the tests are of this host."""


class Api:
    """A provider's interface: it takes one access token, or any while none is set."""

    def __init__(self) -> None:
        self.url = URL
        self.token = ""
        self.response: tuple[int, bytes] = (200, b'{"data": {"user": {}}}')
        self.headers: dict[str, str] = {}

    def respond(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert "user" in json.loads(request.content)["query"]
        if self.token and request.headers["Authorization"] != f"Bearer {self.token}":
            return httpx.Response(401)
        status, body = self.response
        return httpx.Response(status, content=body, headers=self.headers)


@pytest.fixture
def api() -> Iterator[Api]:
    played = Api()
    with respx.mock(using="httpcore", assert_all_called=False) as router:
        router.route(url=URL).mock(side_effect=played.respond)
        router.route(host="127.0.0.1").pass_through()  # the token endpoint, which listens at a port
        yield played


def test_it_works(cli: Cli, tokens: Tokens, api: Api) -> None:
    """A token that the provider takes is exit status 0."""
    version_id = tokens.store(expires_in=DAY)
    api.token = tokens.current()["accessToken"]

    ended = cli("verify", f"--url={api.url}")

    assert 0 == ended.code
    assert "The access token works (HTTP 200)." in ended.screen
    assert version_id in ended.screen


@pytest.mark.parametrize("location", ["https://other.example/me", "https://xn--/"])
def test_a_redirect(cli: Cli, tokens: Tokens, api: Api, location: str) -> None:
    """A redirect is not followed: another host would get the token. One that leads nowhere is no failure."""
    tokens.store(expires_in=DAY)
    api.response, api.headers = (302, b""), {"Location": location}

    ended = cli("verify", f"--url={api.url}")

    assert (3, True) == (ended.code, "HTTP 302, which says nothing about the token" in ended.screen)


def test_refused(cli: Cli, tokens: Tokens, api: Api) -> None:
    """A token that the provider refuses is exit status 2, with what to do, also where its expiry is not known."""
    tokens.store(expiresAt=None)
    api.token = "another"

    ended = cli("verify", f"--url={api.url}")

    assert 2 == ended.code
    assert "The provider rejects the access token (HTTP 401). Refresh it: token-refresh refresh" in ended.screen
    assert "expiry unknown" in ended.screen


@pytest.mark.parametrize(
    ("response", "code", "printed"),
    [
        ((200, b'{"data": {"user": {}}}'), 0, "The access token works: Upwork knows its user."),
        ((200, b'{"errors": [{"message": "canary"}]}'), 2, "responds with errors"),
        ((200, b'{"data": {"user": null}, "errors": [{"message": "canary"}]}'), 2, "responds with errors"),
        ((200, b"<html>canary"), 3, "not a GraphQL response"),
        ((200, b"[]"), 3, "not a GraphQL response"),
        ((503, b"canary"), 3, "HTTP 503, which says nothing about the token"),
        ((200, b'{"data": "' + b"x" * 300_000 + b'"}'), 3, "not a GraphQL response"),
    ],
)
def test_graphql(  # noqa: PLR0917 - fixtures
    cli: Cli,
    tokens: Tokens,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    response: tuple[int, bytes],
    code: int,
    printed: str,
) -> None:
    """Upwork's interface sends errors with status 200: only a response without them says that the token works."""
    monkeypatch.setattr("token_refresh_admin.cli.verify.UPWORK_API", api.url)
    monkeypatch.setattr("token_refresh_admin.cli.verify.is_host_of_upwork", "127.0.0.1".__eq__)
    tokens.store(expires_in=DAY)
    api.token, api.response = tokens.current()["accessToken"], response

    ended = cli("verify", "--json")

    assert code == ended.code
    assert printed in ended.json["text"]
    assert "canary" not in ended.screen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name a URL of the provider's API that only a valid access token can GET"),
        (("--url=http://example.com",), "--url must be https"),
        (("--url=http://127.0.0.1:1",), "can't be reached (ConnectError)"),
        (("--url=https://api.invalid/me",), "HTTPS_PROXY is not the URL of an HTTP proxy"),
    ],
    ids=["tokens of another host than Upwork's", "in the clear", "unreachable", "a malformed proxy"],
)
def test_nothing_is_known(cli: Cli, tokens: Tokens, options: tuple[str, ...], said: str) -> None:
    """Where the token may not be sent, or can't, nothing is known of it: exit status 3, and why."""
    tokens.store(expires_in=DAY)

    ended = cli("verify", "--json", *options, HTTPS_PROXY="http://user:pa/ss@host:1")

    assert (3, True) == (ended.code, said in ended.screen), ended.screen
    assert ended.json["needs_person"] == ("reached" not in said)
    assert "pa/ss" not in ended.screen


def test_no_token(cli: Cli, tokens: Tokens, api: Api) -> None:
    """Without an access token there is nothing to verify."""
    tokens.store(accessToken=None)

    assert "has no access token yet" in cli("verify", f"--url={api.url}").screen


def test_a_dead_grant(cli: Cli, tokens: Tokens, api: Api, endpoint: TokenEndpoint) -> None:
    """If the refresh token is dead too, a refresh would not help: it says to authorize again."""
    tokens.store(expires_in=timedelta(hours=7))
    endpoint.grant.revoke()
    cli("refresh")
    api.token = "another"

    assert "The refresh token is dead, too. Authorize again" in cli("verify", f"--url={api.url}").screen


def test_no_proxy_sees_the_token(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A request to this machine goes through no proxy: it would see the token, and its 200 would say nothing."""
    tokens.store(expires_in=DAY)
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")

    ended = cli("verify", f"--url={endpoint.url.replace('127.0.0.1', 'localhost')}", **proxies)

    assert "The provider responds with HTTP" in ended.screen
