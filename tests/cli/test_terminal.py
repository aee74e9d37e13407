"""In a real terminal: prompts that hide what is typed, a watch that ends with Ctrl-C, and nothing but plain text."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest

from cli.scene import Tokens
from testbed.provider.authorization_server import AuthorizationServer

COMMAND = str(Path(sys.executable).with_name("token-refresh"))
Terminal = Callable[..., Any]


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    """Start a command in a pseudo-terminal; each is ended with the test."""
    started: list[Any] = []

    def start(*arguments: str) -> Any:
        child = pexpect.spawn(
            COMMAND, list(arguments), env=environment, encoding="utf-8", dimensions=(40, 80), timeout=30
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def test_the_client_secret_is_not_shown(
    terminal: Terminal, provider: AuthorizationServer, environment: dict[str, str], free_port: int
) -> None:
    """Client ID and secret are asked for, and what is typed as the secret never shows."""
    environment |= {
        "TOKEN_ENDPOINT": provider.token_endpoint,
        "AUTHORIZATION_ENDPOINT": provider.authorization_endpoint,
    }
    _, client_secret = provider.client()

    child = terminal(
        "authorize", "--no-browser", "--timeout=1", "--yes", f"--redirect-uri=http://127.0.0.1:{free_port}/callback"
    )
    child.expect("Client ID")
    child.sendline("my-client")
    child.expect("Client secret \\(hidden\\)")
    child.waitnoecho()
    child.sendline(client_secret)
    child.expect("no redirect came within 1 s")
    child.expect(pexpect.EOF)
    child.wait()

    assert 1 == child.exitstatus
    assert client_secret not in child.before


def test_watch(terminal: Terminal, tokens: Tokens) -> None:
    """`--watch` follows what changes, an error included, and ends with Ctrl-C and the last status."""
    tokens.store(expires_in=timedelta(days=1))

    child = terminal("status", "--watch", "--interval=1")
    child.expect("HEALTHY")
    tokens.put("no JSON")
    child.expect("BROKEN")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()

    assert 2 == child.exitstatus


def test_watch_goes_on(terminal: Terminal, tokens: Tokens, store: Any) -> None:
    """A state that can't be read for a while is said, and the watch goes on."""
    tokens.store(expires_in=timedelta(days=1))

    child = terminal("status", "--watch", "--interval=1")
    child.expect("HEALTHY")
    store.fault("deny", "GetSecretValue", times=None)
    child.expect("SecretAccessDenied")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()

    assert 3 == child.exitstatus


def test_declined(terminal: Terminal, tokens: Tokens) -> None:
    """A question that is rejected with no, or with Ctrl-C, changes nothing."""
    tokens.store(expires_in=timedelta(days=1))
    tokens.store(expires_in=timedelta(days=1))
    before = tokens.current()

    child = terminal("restore")
    child.expect("Make it current, as a new version\\?")
    child.sendline("n")
    child.expect("Aborted")
    child.expect(pexpect.EOF)
    child.wait()

    assert 1 == child.exitstatus
    assert before == tokens.current()
