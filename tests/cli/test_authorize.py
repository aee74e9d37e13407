"""`authorize`: the code grant against a real authorization server, by redirect and by paste."""

import json
import re
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from cli.scene import SECRET_ID, Cli
from rig import script
from rig.authorization_server import AuthorizationServer
from rig.secrets_manager import SecretsManagerServer
from rig.token_endpoint import TokenEndpoint

REDIRECT_URI = "http://127.0.0.1/callback"


@pytest.fixture
def client_file(provider: AuthorizationServer, environment: dict[str, str], tmp_path: Path) -> Path:
    environment["TOKEN_ENDPOINT"] = provider.token_endpoint
    environment["AUTHORIZATION_ENDPOINT"] = provider.authorization_endpoint
    client_id, client_secret = provider.client()
    return written(tmp_path, {"clientId": client_id, "clientSecret": client_secret})


def written(folder: Path, content: object) -> Path:
    path = folder / "client.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)
    return path


def consent(url: str) -> str:
    """Authorize at the provider as a person does; give where the browser is sent."""
    with httpx.Client(trust_env=False) as browser:
        asked = dict(parse_qsl(urlsplit(url).query))
        return str(browser.post(url, data={**asked, "scope": "read", "allow": "Authorize"}).headers["Location"])


class Person:
    """Sits at the browser that the command opens: each of `visits` makes an address of the redirect's."""

    def __init__(self, *visits: Callable[[str], str]) -> None:
        self._visits = visits
        self.pages: list[httpx.Response] = []
        self._thread: threading.Thread | None = None

    def open(self, url: str) -> bool:
        self._thread = threading.Thread(target=self._browse, args=(url,))
        self._thread.start()
        return True

    def _browse(self, url: str) -> None:
        with httpx.Client(trust_env=False) as browser:
            for visit in self._visits:
                self.pages.append(browser.get(visit(url)))

    def leave(self) -> "Person":
        assert self._thread is not None
        self._thread.join()
        return self


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Person]:
    def sits(*visits: Callable[[str], str]) -> Person:
        someone = Person(*visits)
        monkeypatch.setattr(webbrowser, "open", someone.open)
        return someone

    return sits


def redirected(url: str, **answer: str) -> str:
    """Give the redirect with an answer of the test's, and the right state unless told otherwise."""
    asked = dict(parse_qsl(urlsplit(url).query))
    return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], **answer})}"


def stored(store: SecretsManagerServer, secret_id: str = SECRET_ID) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(store.client().get_secret_value(SecretId=secret_id)["SecretString"])
    return value


def test_first_time(
    cli: Cli, client_file: Path, store: SecretsManagerServer, person: Callable[..., Person], free_port: int
) -> None:
    """The first token set creates the secret, tagged by its name, with the client credentials beside the tokens."""
    someone = person(consent)

    ended = cli(
        "authorize",
        "shop/prod/upwork",
        f"--client-file={client_file}",
        f"--redirect-uri=http://127.0.0.1:{free_port}/callback",
        "--tag=team=payments",
    )

    assert 0 == ended.code
    assert "secret shop/prod/upwork in eu-central-1 is not there yet and will be created" in ended.screen
    assert "Authorized: the tokens are stored." in ended.screen
    page = someone.leave().pages[0]
    assert (200, "no-store") == (page.status_code, page.headers["Cache-Control"])
    assert "<code>shop/prod/upwork</code>" in page.text
    assert "token-refresh status" in page.text
    document = stored(store, "shop/prod/upwork")
    assert {"accessToken", "refreshToken", "expiresAt", "issuedAt", "clientId", "clientSecret"} == set(document)
    tags = {tag["Key"]: tag["Value"] for tag in store.client().describe_secret(SecretId="shop/prod/upwork")["Tags"]}
    by_name = {"app": "shop", "environment": "prod", "service": "upwork"}
    assert {**by_name, "managed-by": "token-refresh-worker", "team": "payments"} == tags
    assert 0 == cli("status", "shop/prod/upwork").code
    assert "refreshed" == cli("refresh", "shop/prod/upwork", "--force", "--json").json["outcome"]


def test_again(
    cli: Cli, client_file: Path, store: SecretsManagerServer, person: Callable[..., Person], free_port: int
) -> None:
    """A new authorization keeps the document's spelling and other keys, and takes the client credentials from it."""
    client = json.loads(client_file.read_text())
    first = {"client_id": client["clientId"], "client_secret": client["clientSecret"], "note": "kept"}
    store.client().create_secret(Name=SECRET_ID, SecretString=json.dumps(first))
    someone = person(consent)
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"

    refused = cli("authorize", redirect, stdin="n\n")
    ended = cli("authorize", redirect, stdin="y\n")

    assert "holds a value that is no token document" in refused.screen
    assert (1, 0) == (refused.code, ended.code)
    assert "Aborted" in refused.screen
    someone.leave()
    document = stored(store)
    assert first.items() <= document.items()
    assert {"access_token", "refresh_token", "expires_at"} < set(document)
    assert "holds a token set that expires at" in cli("authorize", redirect, stdin="n\n").screen
    store.client().put_secret_value(SecretId=SECRET_ID, SecretString=json.dumps(first | {"refresh_token": "r"}))
    assert "holds a token set, stored at" in cli("authorize", redirect, stdin="n\n").screen


def test_foreign_visits(
    cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int, store: SecretsManagerServer
) -> None:
    """A visit with another state, without a code or at another path changes nothing, and the waiting goes on."""
    someone = person(
        lambda url: redirected(url, state="forged", code="stolen"),
        redirected,
        lambda url: redirected(url).replace("/callback", "/favicon.ico"),
        consent,
    )

    ended = cli("authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback")

    assert 0 == ended.code
    assert [400, 400, 404, 200] == [page.status_code for page in someone.leave().pages]
    assert "Not the expected answer" in someone.pages[0].text
    assert stored(store)["accessToken"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "access_denied"}, "the provider did not authorize: access_denied"),
        ({"error": "<script>"}, "an error without an RFC 6749 code"),
        (
            {"code": "made-up"},
            "the token endpoint did not give tokens (HTTP 400 with invalid_grant); the code was used",
        ),
    ],
)
def test_refused(  # noqa: PLR0917 - fixtures
    cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int, answer: dict[str, str], told: str
) -> None:
    """Where the provider refuses, the terminal says why, the page says so, and nothing is stored."""
    someone = person(lambda url: redirected(url, **answer))

    ended = cli("authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback")

    assert 1 == ended.code
    assert told in ended.screen
    assert "Not authorized" in someone.leave().pages[0].text
    assert 3 == cli("status").code


def test_paste(cli: Cli, client_file: Path, tmp_path: Path) -> None:
    """Without a browser here, the pasted address does; another one's is refused."""
    del tmp_path
    fixed = ["authorize", f"--client-file={client_file}", "--paste", f"--redirect-uri={REDIRECT_URI}"]

    foreign = cli(*fixed, stdin="http://127.0.0.1/callback?code=c&state=s\n")
    nothing = cli(*fixed)

    assert (1, 1) == (foreign.code, nothing.code)
    assert "that address is not the answer to this authorization" in foreign.screen
    assert "address: nothing was given on standard input" in nothing.screen
    address = re.search(r"http://\S+authorize\?\S+", foreign.err)
    assert address is not None
    assert {"code_challenge", "state"} <= set(dict(parse_qsl(urlsplit(address[0]).query)))


def test_without_pkce_and_with_scope(cli: Cli, client_file: Path) -> None:
    """PKCE can be left out, and scopes asked for; a redirect elsewhere than to this machine is pasted."""
    ended = cli(
        "authorize",
        f"--client-file={client_file}",
        "--no-pkce",
        "--scope=read",
        "--redirect-uri=https://example.com/cb",
    )

    assert "code_challenge" not in ended.err
    assert "scope=read" in ended.err
    assert "paste it here" in ended.err


def test_too_late(cli: Cli, client_file: Path, free_port: int) -> None:
    """It does not wait for ever."""
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"

    ended = cli("authorize", f"--client-file={client_file}", redirect, "--no-browser", "--timeout=1")

    assert 1 == ended.code
    assert "no authorization came within 1 s" in ended.screen


def test_port_taken(cli: Cli, client_file: Path, endpoint: TokenEndpoint) -> None:
    """A port that is taken is told of before anything is asked of the provider."""
    ended = cli("authorize", f"--client-file={client_file}", f"--redirect-uri=http://{endpoint.address}/callback")

    assert 1 == ended.code
    assert f"can't listen at {endpoint.address}" in ended.screen


def test_ipv6(cli: Cli, client_file: Path) -> None:
    """The loopback address may be IPv6's."""
    ended = cli(
        "authorize", f"--client-file={client_file}", "--redirect-uri=http://[::1]:0", "--no-browser", "--timeout=1"
    )

    assert 1 == ended.code
    assert "redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D" in ended.err


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        ("{}", 0o600, "must be a JSON object with clientId"),
        ("not JSON", 0o600, "must be a JSON object with clientId"),
        ("{}", 0o644, "others may read"),
        (None, 0o600, "can't be read (FileNotFoundError)"),
    ],
)
def test_client_file(cli: Cli, tmp_path: Path, content: str | None, mode: int, told: str) -> None:
    """A file of client credentials must be one, and its owner's alone."""
    path = tmp_path / "client.json"
    if content is not None:
        written(tmp_path, content).chmod(mode)

    ended = cli("authorize", f"--client-file={path}")

    assert 1 == ended.code
    assert told in ended.screen


def test_client_from_standard_input(cli: Cli, endpoint: TokenEndpoint, environment: dict[str, str]) -> None:
    """Without a terminal the client secret is a line of standard input; nothing there is a failure."""
    environment["TOKEN_ENDPOINT"] = endpoint.url

    ended = cli("authorize", "--client-id=me", stdin="")

    assert 1 == ended.code
    assert "client secret: nothing was given on standard input" in ended.screen


def paste_into(cli: Cli, monkeypatch: pytest.MonkeyPatch, *arguments: str, **variables: str) -> Any:
    """Paste an address with the right state and any code."""
    monkeypatch.setattr(
        "token_refresh.cli.authorization.secrets.token_urlsafe", lambda _: "one-known-value-that-is-long-enough"
    )
    address = "http://127.0.0.1/callback?code=any&state=one-known-value-that-is-long-enough\n"
    return cli("authorize", "--paste", "--yes", *arguments, stdin=address, **variables)


@pytest.mark.parametrize(
    ("played", "told"),
    [
        (script.status(200, {"access_token": "a"}), "the provider sent no refresh token"),
        (script.error("invalid_client", http_status=401), "ClientRejected: the token endpoint refused the client"),
        (script.html(403), "check --token-endpoint"),
        (script.status(500), "did not give tokens (HTTP 500)"),
    ],
)
def test_no_tokens(  # noqa: PLR0917 - fixtures
    cli: Cli,
    endpoint: TokenEndpoint,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    played: script.Script,
    told: str,
) -> None:
    """Whatever the token endpoint answers instead of tokens, it is said in our own words, with what to do."""
    environment["TOKEN_ENDPOINT"] = endpoint.url
    endpoint.play(played)

    ended = paste_into(cli, monkeypatch, UPWORK_CLIENT_ID="me", UPWORK_CLIENT_SECRET="hush")

    assert 1 == ended.code
    assert told in ended.screen


def test_public_client(
    cli: Cli,
    endpoint: TokenEndpoint,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    store: SecretsManagerServer,
) -> None:
    """A public client is asked for no secret, and none is stored."""
    environment |= {"TOKEN_ENDPOINT": endpoint.url, "TOKEN_ENDPOINT_AUTH_METHOD": "none"}
    endpoint.play(script.status(200, {"access_token": "a", "refresh_token": "r", "expires_in": 60}))

    ended = paste_into(cli, monkeypatch, "--client-id=public", "--no-pkce")

    assert 0 == ended.code
    assert ("public", False) == (stored(store)["clientId"], "clientSecret" in stored(store))


def test_client_secret_elsewhere(cli: Cli, store: SecretsManagerServer) -> None:
    """Where the function reads the client credentials from a secret of their own, others are not taken."""
    value = json.dumps({"clientId": "known", "clientSecret": "hush"})
    store.client().create_secret(Name="client", SecretString=value)

    ended = cli("authorize", "--client-id=other", CLIENT_SECRET_ID="client")

    assert 1 == ended.code
    assert "reads the client credentials from secret client (CLIENT_SECRET_ID)" in ended.screen


def test_awaiting_deletion(cli: Cli, store: SecretsManagerServer) -> None:
    """A secret that awaits its deletion is not created anew: the remedy is to bring it back."""
    store.client().create_secret(Name=SECRET_ID, SecretString="{}")
    store.client().delete_secret(SecretId=SECRET_ID)

    ended = cli("authorize")

    assert 1 == ended.code
    assert "restore-secret" in ended.screen


def test_tag_without_value(cli: Cli) -> None:
    """A tag without a value is a wrong option: exit status 64."""
    ended = cli("authorize", "--tag=team")

    assert 64 == ended.code
    assert "--tag must be KEY=VALUE" in ended.screen


def test_endpoint_in_the_clear(cli: Cli) -> None:
    """An authorization page in the clear is refused by its setting's name."""
    ended = cli(
        "authorize",
        "--authorization-endpoint=http://example.com",
        UPWORK_CLIENT_ID="me",
        UPWORK_CLIENT_SECRET="hush",
    )

    assert 1 == ended.code
    assert "AUTHORIZATION_ENDPOINT must be https" in ended.screen
