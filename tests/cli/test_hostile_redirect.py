"""`authorize`: what anyone on this machine can send to the redirect port, and what they can see of the browser."""

import json
import random
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.authorizing import Person, consent, redirected
from cli.scene import Cli
from token_refresh_worker.cli.authorize import redirect
from token_refresh_worker.cli.authorize.authorization import AuthorizationRequest
from token_refresh_worker.cli.authorize.browser import opened
from token_refresh_worker.cli.authorize.redirect import RedirectServer
from token_refresh_worker.cli.console.failures import CommandFailed

SOURCE = random.Random(17)  # noqa: S311 - inputs of a test, not secrets


@pytest.fixture
def waiting(free_port: int) -> Iterator[tuple[int, Thread, list[BaseException]]]:
    """A redirect server that waits for two seconds, and how the wait ended."""
    authorization = AuthorizationRequest(
        endpoint="https://example.com/authorize",
        client_id="me",
        redirect_uri=f"http://127.0.0.1:{free_port}/callback",
        scope=None,
        pkce=True,
    )
    ended: list[BaseException] = []

    def complete(_: object) -> str:
        raise AssertionError("no request of this suite has the right state")

    with RedirectServer(authorization, complete) as server:

        def wait() -> None:
            try:
                server.wait(2)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                ended.append(error)

        thread = Thread(target=wait)
        thread.start()
        yield free_port, thread, ended
        thread.join()


def send(port: int, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except ConnectionResetError:
            return b""


def mutated() -> bytes:
    request = bytearray(b"GET /callback?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    for _ in range(SOURCE.randrange(1, 8)):
        at = SOURCE.randrange(len(request))
        request[at : at + SOURCE.randrange(3)] = SOURCE.randbytes(SOURCE.randrange(4))
    return bytes(request)


def test_malformed_requests(waiting: tuple[int, Thread, list[BaseException]]) -> None:
    """No request ends the wait: it ends by its own time limit, and a malformed request line gets 400."""
    port, thread, ended = waiting

    assert b" 400 " in send(port, b"GET http://[ HTTP/1.1\r\n\r\n").split(b"\r\n")[0]
    assert b" 400 " in send(port, b"GET /callback?state=%ff&code=] HTTP/1.1\r\n\r\n").split(b"\r\n")[0]
    for _ in range(300):
        send(port, mutated())

    thread.join()
    assert [CommandFailed] == [type(error) for error in ended]
    assert "no redirect came within 2 s" in str(ended[0])


def test_a_byte_at_a_time(waiting: tuple[int, Thread, list[BaseException]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection has one deadline for its whole request, so that a byte now and then can't hold the port."""
    monkeypatch.setattr(redirect, "_CONNECTION_SECONDS", 0.3)
    port, thread, ended = waiting
    started = time.monotonic()

    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        try:
            while thread.is_alive() and time.monotonic() - started < 10:
                connection.sendall(b"G")
                time.sleep(0.05)
        except OSError:
            pass  # The server closed the connection: that is the point.
        held_seconds = time.monotonic() - started

    assert held_seconds < 1.9
    assert b" 404 " in send(port, b"GET / HTTP/1.1\r\n\r\n")
    thread.join()
    assert [CommandFailed] == [type(error) for error in ended]


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A browser that notes its command line, its environment and the page that it was given."""
    script, note = tmp_path / "browser", tmp_path / "note.json"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from urllib.parse import unquote, urlsplit\n"
        "page = Path(unquote(urlsplit(sys.argv[1]).path))\n"
        "seen = {'arguments': sys.argv, 'environment': dict(os.environ), 'page': page.read_text(),\n"
        "        'modes': [page.stat().st_mode, page.parent.stat().st_mode]}\n"
        f"Path('{note}.part').write_text(json.dumps(seen))\n"
        f"os.rename('{note}.part', '{note}')\n"
    )
    script.chmod(0o700)
    return script


def seen_by(browser: Path) -> dict[str, Any]:
    note, until = browser.with_name("note.json"), time.monotonic() + 30
    while not note.exists():
        assert time.monotonic() < until, "the browser was not started"
        time.sleep(0.02)
    seen: dict[str, Any] = json.loads(note.read_text())
    return seen


def test_what_the_browser_gets(browser: Path) -> None:
    """The browser gets a local file that only its owner can read, and no secret in its environment."""
    url = "https://example.com/authorize?state=canary-state&code_challenge=canary-challenge"
    environment = {
        "PATH": "/usr/bin:/bin",
        "BROWSER": str(browser),
        "LC_ALL": "C",
        "UPWORK_CLIENT_SECRET": "canary-secret",
        "AWS_SECRET_ACCESS_KEY": "canary-key",
    }

    with opened(url, wanted=True, environment=environment):
        seen = seen_by(browser)

    assert "canary" not in json.dumps([seen["arguments"], seen["environment"]])
    assert "C" == seen["environment"]["LC_ALL"]
    assert "url=https://example.com/authorize?state=canary-state&amp;code_challenge=canary-challenge" in seen["page"]
    assert [0o600, 0o700] == [stat.S_IMODE(mode) for mode in seen["modes"]]
    page = Path(urlsplit(seen["arguments"][1]).path)
    assert not page.parent.exists(), "the file is removed at the end"


def test_no_browser_is_wanted(browser: Path) -> None:
    """With --no-browser no process is started."""
    with opened("https://example.com", wanted=False, environment={"BROWSER": str(browser)}):
        pass

    assert not browser.with_name("note.json").exists()


def test_a_forged_redirect_does_not_end_the_authorization(
    cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int
) -> None:
    """Between malformed and forged visits the real redirect still arrives."""
    someone = person(lambda url: redirected(url, state="ü", code="[") + "&x=http://[", consent)

    ended = cli(
        "authorize",
        f"--client-file={client_file}",
        f"--redirect-uri=http://127.0.0.1:{free_port}/callback",
        "--yes",
    )

    assert 0 == ended.code
    assert [400, 200] == [page.status_code for page in someone.leave().pages]
