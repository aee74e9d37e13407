"""What the tests of `authorize` share: a client's file, a person at the browser, a pasted address, what is stored."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from cli.scene import SECRET_ID, Ended
from testbed.provider import script
from testbed.secrets_manager.server import SecretsManagerServer


def written(folder: Path, content: object) -> Path:
    path = folder / "client.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)
    return path


def consent(url: str) -> str:
    """Authorize at the provider as a person does; give where the browser is sent."""
    with httpx.Client(trust_env=False, timeout=60) as browser:
        asked = dict(parse_qsl(urlsplit(url).query))
        return str(browser.post(url, data={**asked, "scope": "read", "allow": "Authorize"}).headers["Location"])


class Person:
    """Sits at the browser that the command opens: each of `visits` makes an address of the redirect's."""

    def __init__(self, *visits: Callable[[str], str]) -> None:
        self._visits = visits
        self.pages: list[httpx.Response] = []
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def opened(self, url: str, *, wanted: bool, environment: Mapping[str, str]) -> Iterator[None]:
        del environment
        if wanted:
            self._thread = threading.Thread(target=self._browse, args=(url,))
            self._thread.start()
        yield

    def _browse(self, url: str) -> None:
        with httpx.Client(trust_env=False, timeout=60) as browser:
            url = browser.get(url).headers["Location"]  # The loopback server sends the browser on to the provider.
            for visit in self._visits:
                self.pages.append(browser.get(visit(url)))

    def leave(self) -> "Pages":
        """Return the pages that were shown; none where no browser opened."""
        if self._thread is not None:
            self._thread.join()
        return self.pages


def redirected(url: str, **response: str) -> str:
    """Return the redirect with a response of the test's, and the right state unless printed otherwise."""
    asked = dict(parse_qsl(urlsplit(url).query))
    return f"{asked['redirect_uri']}?{urlencode({'state': asked['state'], **response})}"


def stored(store: SecretsManagerServer, secret_id: str = SECRET_ID) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(store.client().get_secret_value(SecretId=secret_id)["SecretString"])
    return value


Pages = list[httpx.Response]
Authorize = Callable[..., tuple[Ended, Pages]]
Paste = Callable[..., Ended]

STATE = "one-known-value-that-is-long-enough"

BROUGHT = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}


def brings(**fields: Any) -> script.Script:
    """Respond to the exchange with tokens, and with these fields."""
    return script.status(200, BROUGHT | fields)


def redirect_of(query: str = "code=any", uri: str = "http://127.0.0.1/callback") -> str:
    """Return the address that is pasted, with the right state, as a line."""
    return f"{uri}?{query}&state={STATE}\n"
