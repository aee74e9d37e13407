"""In a real terminal: prompts that hide what is typed, a watch that ends with Ctrl-C, and what ends a command."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cli.scene import Tokens
from cli.terminals import CTRL_C, Screen, Terminal
from testbed.provider import script
from testbed.provider.authorization_server import AuthorizationServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes.change import PROBE_VERSION_ID
from token_refresh_admin.cli.failures import ONE_PRESS_SECONDS
from token_refresh_admin.cli.screen import fields_table, one_line

GROUP = "unmeasured"


def test_a_client_id_can_be_corrected(terminal: Terminal, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """`client` shows the stored ID, lets a person type another one, hides the secret, and asks once more."""
    tokens.store(clientId="edited")

    child = terminal("client")
    child.expect("Client ID.*\\[edited\\]")
    child.sendline(endpoint.client_id)
    child.expect("Client secret \\(hidden\\)")
    child.type_hidden(f" {endpoint.client_secret} ")
    child.expect("Store .*\\[y/N\\]")
    shown = child.before
    child.sendline("y")
    child.ends()

    assert endpoint.client_secret not in f"{shown}{child.before}"
    assert (0, endpoint.client_id) == (child.status, tokens.current()["clientId"])
    assert endpoint.client_secret == tokens.current()["clientSecret"]  # A pasted one may bring white space.


def test_watch(terminal: Terminal, tokens: Tokens) -> None:
    """`--watch` follows what changes, an error included, and ends with Ctrl-C and the last status."""
    tokens.store(expires_in=timedelta(days=1))

    child = terminal("status", "--watch", "--interval=1")
    child.expect("HEALTHY")
    tokens.put("no JSON")
    child.expect("BROKEN")
    child.press(CTRL_C)
    child.ends()

    assert 2 == child.status


@pytest.fixture
def asked(
    tokens: Tokens, store: SecretsManagerServer, provider: AuthorizationServer, environment: dict[str, str]
) -> SecretsManagerServer:
    """A secret about which every command has something to ask."""
    tokens.store(expires_in=timedelta(days=1))
    tokens.store(expires_in=timedelta(days=1), clientId=None, clientSecret=None)
    environment["AUTHORIZATION_ENDPOINT"] = provider.authorization_endpoint
    return store


AUTHORIZE = ("authorize", "--no-browser", "--paste")
QUESTIONS = [
    pytest.param((*AUTHORIZE,), "Client ID", id="client ID"),
    pytest.param((*AUTHORIZE, "--client-id=mine"), "Client secret \\(hidden\\)", id="client secret"),
    pytest.param((*AUTHORIZE, "--client-file=client.json"), "Replace it\\?", id="replace"),
]


def labels(asked: SecretsManagerServer) -> dict[str, list[str]]:
    """Return the versions that have a label, without the one that shows that the caller may write."""
    found = asked.client().describe_secret(SecretId="upwork-oauth-tokens")["VersionIdsToStages"]
    return {version: names for version, names in found.items() if version != PROBE_VERSION_ID}


@pytest.mark.parametrize(("arguments", "question"), QUESTIONS)
def test_ctrl_c_at_a_question(
    terminal: Terminal, asked: SecretsManagerServer, arguments: tuple[str, ...], question: str
) -> None:
    """Ctrl-C at any question ends the command with one clear line and exit status 130, and nothing is stored."""
    before = labels(asked)

    child = terminal(*arguments)
    child.expect(question)
    child.press(CTRL_C)
    child.ends()

    assert ["Cancelled: nothing was stored."] == [line for line in child.before.splitlines()[1:] if line.strip()]
    assert 130 == child.status
    assert before == labels(asked)


def test_ctrl_c_again(terminal: Terminal, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """During a refresh Ctrl-C lets the run end first; a second one, after a second, interrupts it all the same."""
    tokens.store(expires_in=timedelta(hours=1))
    endpoint.play(script.hold("before_commit"))

    child = terminal("refresh")
    endpoint.wait_until_held()
    child.press(CTRL_C)
    child.expect("The run ends first")
    time.sleep(ONE_PRESS_SECONDS)
    child.press(CTRL_C)
    child.expect("Interrupted. What was stored before stays")
    child.ends()

    assert 130 == child.status


def test_ctrl_c_while_it_waits(terminal: Terminal, asked: SecretsManagerServer, free_port: int) -> None:
    """Ctrl-C while the browser is awaited ends `authorize` without a traceback, and nothing is stored."""
    before = labels(asked)

    child = terminal(
        "authorize",
        "--no-browser",
        "--yes",
        "--client-file=client.json",
        f"--redirect-uri=http://127.0.0.1:{free_port}/",
    )
    child.expect("open this URL")
    child.expect("https?://")
    child.press(CTRL_C)
    child.ends()

    assert "Interrupted. What was stored before stays:" in child.before
    assert "token-refresh status upwork-oauth-tokens --region eu-central-1" in child.before
    assert "Traceback" not in child.before
    assert 130 == child.status
    assert before == labels(asked)


def test_a_line_break_in_a_stored_value_makes_no_row() -> None:
    """A stored value with any kind of line break stays in its row: none of it can look like a row of ours."""
    for line_break in ("\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"):
        hostile = f"AWSCURRENT{line_break}refresh  healthy"
        assert "\n" not in one_line(hostile)
        console = Console(file=StringIO(), width=80, highlight=False, markup=False)
        console.print(fields_table([("labels", hostile), ("next", "value")]))
        file: Any = console.file
        assert 2 == len(file.getvalue().splitlines())


Strike = Callable[[Screen], None]


def _send(*numbers: signal.Signals) -> Strike:
    def strike(child: Screen) -> None:
        for number in numbers:
            child.kill(number)

    return strike


PRESSED = pytest.param(lambda child: child.press(CTRL_C), id="Ctrl-C")
CLOSES = pytest.param(Screen.close, id="the terminal closes")
SYSTEMD = _send(signal.SIGTERM, signal.SIGHUP, signal.SIGCONT, signal.SIGTERM)


@pytest.mark.parametrize("strike", [PRESSED, CLOSES, pytest.param(SYSTEMD, id="systemd, twice")])
def test_a_refresh_stores_its_tokens_first(
    terminal: Terminal, tokens: Tokens, endpoint: TokenEndpoint, strike: Strike
) -> None:
    """The provider has redeemed the token and not responded yet: whatever ends the command, the tokens are stored."""
    tokens.store(expires_in=timedelta(hours=1))
    before = tokens.current()
    endpoint.play(script.hold("after_commit"))

    child = terminal("refresh")
    endpoint.wait_until_held()
    strike(child)
    endpoint.release()
    child.wait()

    assert 0 == child.status or strike is Screen.close
    assert before["refreshToken"] != tokens.current()["refreshToken"]
    assert 1 == endpoint.grant.redemptions


def test_before_anything_is_sent_a_signal_ends_the_command(
    terminal: Terminal, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """What has not begun needs no end: the command dies of the signal, and nothing is sent or stored."""
    tokens.store(expires_in=timedelta(hours=1))
    before = store.secrets.snapshot()
    held = store.fault("hold_before", "GetSecretValue")

    child = terminal("refresh")
    held.wait()
    child.kill(signal.SIGTERM)
    child.wait()
    held.release(apply=False)

    assert -signal.SIGTERM == child.status
    assert not endpoint.requests
    assert before == store.secrets.snapshot()
