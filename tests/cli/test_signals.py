"""What ends a command from outside, in real processes: Ctrl-C, SIGTERM, SIGHUP, and a terminal that closes."""

import signal
from collections.abc import Callable
from datetime import timedelta

import pytest

from cli.scene import Tokens
from cli.terminals import CTRL_C, Screen, Terminal
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

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
